# The IDL of Open vSwitch for Python, as a client beside ours: counts, edits, and says what it sees.
# Arguments: remote, schema file, how often to count. One line of JSON for each thing done.
import json
import sys

import ovs.db.idl
import ovs.poller

remote, schema, times = sys.argv[1], sys.argv[2], int(sys.argv[3])
helper = ovs.db.idl.SchemaHelper(location=schema)
for table in ("NB_Global", "Logical_Switch", "Logical_Switch_Port"):
    helper.register_table(table)
idl = ovs.db.idl.Idl(remote, helper)


def wait(test):
    while True:
        idl.run()
        if test():
            return
        poller = ovs.poller.Poller()
        idl.wait(poller)
        poller.timer_wait(100)
        poller.block()


def say(**what):
    print(json.dumps(what, sort_keys=True), flush=True)


def rows(table):
    return idl.tables[table].rows.values()


wait(lambda: idl.has_ever_connected() and len(rows("NB_Global")) == 1)
say(ready=True)
counts = []
while len(counts) < times:
    txn = ovs.db.idl.Transaction(idl)
    row = next(iter(rows("NB_Global")))
    row.verify("nb_cfg")
    row.nb_cfg = row.nb_cfg + 1
    wanted = row.nb_cfg
    status = txn.commit_block()
    if status == ovs.db.idl.Transaction.SUCCESS:
        counts.append(wanted)
    elif status != ovs.db.idl.Transaction.TRY_AGAIN:
        say(error=status)
    txn.abort()
say(counts=counts)

# a switch of its own, with a port, in one transaction
txn = ovs.db.idl.Transaction(idl)
port = txn.insert(idl.tables["Logical_Switch_Port"])
port.name = "python"
port.tag = 7
port.addresses = ["b", "a"]
switch = txn.insert(idl.tables["Logical_Switch"])
switch.name = "of python"
switch.ports = [port]
switch.setkey("other_config", "by", "python")
say(made=txn.commit_block())

wait(lambda: any(row.name == "of ours, edited" for row in rows("Logical_Switch")))
say(
    switches=sorted(
        [
            row.name,
            sorted(port.name for port in row.ports),
            row.other_config,
        ]
        for row in rows("Logical_Switch")
    ),
    ports=sorted(
        [row.name, row.tag, row.up, row.enabled, row.addresses, row.options] for row in rows("Logical_Switch_Port")
    ),
)
