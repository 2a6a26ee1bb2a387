"""Runs a program where /dev/log and the journal's socket are ours, and prints what they get: JSON, in base64.

In a mount namespace of its own, so that the machine's own sockets stay what they are. What the program reads is
this program's standard input.
"""
import base64
import json
import os
import socket
import subprocess
import sys
import threading

if os.environ.get("OSLO_SYSLOG_INSIDE") is None:
    os.environ["OSLO_SYSLOG_INSIDE"] = "1"
    os.execvp("unshare", ["unshare", "-m", sys.executable, *sys.argv])

subprocess.check_call(["mount", "-t", "tmpfs", "none", "/run"])
subprocess.check_call(["mount", "--make-rprivate", "/"])
subprocess.check_call(["mount", "-t", "tmpfs", "none", "/dev"])
for name, minor in (("null", 3), ("urandom", 9)):
    os.mknod(f"/dev/{name}", 0o20666, os.makedev(1, minor))
os.makedirs("/run/systemd/journal")

got = {}
threads = []
for path in ("/dev/log", "/run/systemd/journal/socket"):
    receiver = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    receiver.bind(path)
    receiver.settimeout(0.2)
    got[path] = []

    def receive(receiver=receiver, messages=got[path]):
        while True:
            try:
                messages.append(base64.b64encode(receiver.recv(1 << 20)).decode())
            except TimeoutError:
                if finished.is_set():
                    return

    threads.append(threading.Thread(target=receive))

finished = threading.Event()
for thread in threads:
    thread.start()
status = subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL, timeout=120).returncode
finished.set()
for thread in threads:
    thread.join()
json.dump(got, sys.stdout)
sys.exit(status)
