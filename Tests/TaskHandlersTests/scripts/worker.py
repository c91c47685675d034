"""Stands for a worker: starts `run-command` on a leash, and waits to be killed.

worker.py AMITY FOLDER COMMAND…: writes the id of `run-command` to FOLDER/runner.
"""
import os
import socket
import sys
import time

amity, folder, command = sys.argv[1], sys.argv[2], sys.argv[3:]
own, other = socket.socketpair()
runner = os.fork()
if runner == 0:
    os.setpgid(0, 0)
    os.dup2(other.fileno(), 3)
    os.set_inheritable(3, True)
    os.closerange(4, 256)
    os.execv(amity, ["amity", "run-command", "10"] + command)
other.close()
with open(f"{folder}/runner", "w") as file:
    file.write(str(runner))
time.sleep(600)
