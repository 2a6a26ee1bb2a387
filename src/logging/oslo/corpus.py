"""Logs given events with oslo.log as given configurations say; JSON in, JSON out."""
import base64
import io
import json
import logging
import logging.handlers
import os
import socket
import sys
import time

now = 0.0
time.time = lambda: now
# The rate limit has a clock of its own, which it takes when it is loaded.
time.monotonic = lambda: now
socket.gethostname = lambda: "host"
os.getpid = lambda: 4242

from oslo_config import cfg
from oslo_log import log, rate_limit

real_open = logging.FileHandler._open


def opened(handler):
    """A new file's time is the given clock's, too."""
    stream = real_open(handler)
    if os.stat(handler.baseFilename).st_size == 0:
        os.utime(handler.baseFilename, (now, now))
    return stream


logging.FileHandler._open = opened


def run(case):
    global now
    now = case["start"]
    logging.root.handlers = []
    logging.root.filters = []
    logging.root.setLevel(logging.WARNING)
    logging.root.manager.loggerDict.clear()
    logging.root.manager._clear_cache()
    out, errors = io.StringIO(), io.StringIO()
    saved = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = out, errors
    try:
        conf = cfg.ConfigOpts()
        log.register_options(conf)
        conf([], project="ovn-northd", prog="ovn-northd", default_config_files=[case["file"]], default_config_dirs=[])
        # Release 5.0 reads this option by a name under which it never declared it.
        conf.register_opt(cfg.StrOpt("rate_limit_except", default=conf.rate_limit_except_level))
        log.setup(conf, "ovn-northd")
        for event in case["events"]:
            if "rename" in event:
                os.rename(*event["rename"])
                continue
            now = event["created"]
            logger = logging.getLogger(event["name"])
            if logger.isEnabledFor(event["levelno"]):
                floats = {key: float(event[key]) for key in ("created", "msecs", "relativeCreated")}
                logger.handle(logging.makeLogRecord({**event, **floats}))
        rate_limit.uninstall_filter()
        logging.shutdown()
    except (Exception, SystemExit) as error:
        return {"error": repr(error)}
    finally:
        sys.stdout, sys.stderr = saved
        logging._handlerList.clear()
        logging._handlers.clear()
    files = {}
    for name in os.listdir(case["dir"]):
        with open(os.path.join(case["dir"], name), "rb") as file:
            files[name] = base64.b64encode(file.read()).decode()
    return {"files": files, "out": out.getvalue(), "err": errors.getvalue()}


if __name__ == "__main__":
    sys.argv[0] = "ovn-northd"
    json.dump([run(case) for case in json.load(sys.stdin)], sys.stdout)
