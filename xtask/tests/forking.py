"""The tiny service (its folder in NOTES) as one that forks away: `start PORT` ends when it runs, `stop` ends it. MANNER says what goes wrong."""
import os, signal, sys, time

PID, manner = "service.pid", os.environ["MANNER"]

def start(port):
    if manner == "the start fails":
        sys.exit("there is no room on the disk")
    if manner == "the start hangs":
        signal.pause()
    if os.fork():
        return
    os.setsid()
    if os.fork():
        os._exit(0)
    with open(PID + ".new", "w") as file:
        file.write(str(os.getpid()))
    os.rename(PID + ".new", PID)
    os.execvp("python3", ["python3", os.path.join(os.environ["NOTES"], "notes.py"), port])

def gone(pid):
    with open(f"/proc/{pid}/stat") as stat:
        return stat.read().rpartition(") ")[2].startswith("Z")

def stop():
    with open("stopped", "a") as file:
        file.write("once\n")
    if manner == "the stop fails":
        sys.exit("nobody knows how")
    if manner == "the stop hangs":
        signal.pause()
    with open(PID) as file:
        pid = int(file.read())
    os.kill(pid, signal.SIGTERM)
    try:
        while not gone(pid):
            time.sleep(0.01)
    except FileNotFoundError:
        pass

start(sys.argv[2]) if sys.argv[1] == "start" else stop()
