"""A command that leaves a process behind: in a session of its own, its parent ended.

leave.py FOLDER [wait]: writes the process's id to FOLDER/left, its own to FOLDER/command.
"""
import os
import signal
import sys
import time

folder = sys.argv[1]
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        with open(f"{folder}/left.new", "w") as file:
            file.write(str(os.getpid()))
        os.rename(f"{folder}/left.new", f"{folder}/left")
        time.sleep(600)
    os._exit(0)
os.wait()
while not os.path.exists(f"{folder}/left"):
    time.sleep(0.01)
with open(f"{folder}/command.new", "w") as file:
    file.write(str(os.getpid()))
os.rename(f"{folder}/command.new", f"{folder}/command")
print('{"progress":50,"note":"left"}', flush=True)
if "wait" in sys.argv:
    time.sleep(600)
print('{"result":"left"}', flush=True)
