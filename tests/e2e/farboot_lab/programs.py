"""The real programs as processes: started in a namespace, ready when they tell the service manager so, killed by pid."""
import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile

from .wait import wait_for

START_SECONDS = 60
STOP_SECONDS = 30


class CommandFailed(Exception):
    """A command ended with another status than it should have."""


class Daemon:
    """One daemon. Its output goes to `log`, which grows over restarts."""

    def __init__(self, name, netns, command, log, environment):
        self.name, self.netns, self.command, self.log = name, netns, command, log
        self.environment, self.process = environment, None

    def start(self, ready=True):
        notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        folder = tempfile.mkdtemp(prefix="farboot-notify-")     # a socket's path has 107 bytes at most
        path = os.path.join(folder, "socket")
        notify.bind(path)
        notify.setblocking(False)
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                ["ip", "netns", "exec", self.netns] + self.command, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                env={**self.environment, "NOTIFY_SOCKET": path})
        try:
            if ready:
                wait_for(f"{self.name} is ready (see {self.log})", lambda: self._said_ready(notify), START_SECONDS)
        finally:
            notify.close()
            shutil.rmtree(folder)
        return self

    def _said_ready(self, notify):
        if self.process.poll() is not None:
            raise CommandFailed(f"{self.name} ended with {self.process.returncode} at start:\n{self.tail()}")
        try:
            return b"READY=1" in notify.recv(4096).split(b"\n")
        except BlockingIOError:
            return False

    @property
    def running(self):
        return self.process is not None and self.process.poll() is None

    def stop(self):
        """An orderly end. Raises if it was none (a sanitizer's report, a crash)."""
        if not self.running:
            return
        self.process.send_signal(signal.SIGTERM)
        try:
            status = self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()
            raise CommandFailed(f"{self.name} did not end within {STOP_SECONDS} s of SIGTERM") from None
        if status != 0:
            raise CommandFailed(f"{self.name} ended with {status} after SIGTERM:\n{self.tail()}")

    def kill(self):
        """kill -9, as a power cut would."""
        if self.running:
            self.process.kill()
            self.process.wait()

    @contextlib.contextmanager
    def stopped(self):
        """It stands still meanwhile, and what it wrote can be looked at."""
        self.process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self.process.send_signal(signal.SIGCONT)

    def restart(self):
        self.stop()
        return self.start()

    def tail(self, lines=15):
        try:
            with open(self.log, encoding="utf-8", errors="replace") as file:
                return "".join(file.readlines()[-lines:])
        except OSError:
            return ""

    def events(self, name=None, since=0):
        """The daemon's log as dicts, optionally only of one event; `since`: byte offset, of log_size()."""
        found = []
        with open(self.log, "rb") as file:
            file.seek(since)
            for line in file.read().decode("utf-8", "replace").splitlines():
                fields = parse_event(line)
                if fields and (name is None or fields["event"] == name):
                    found.append(fields)
        return found

    def log_size(self):
        return os.path.getsize(self.log) if os.path.exists(self.log) else 0


def parse_event(line):
    """`event=tftp.sent client=10.4.0.31 text="a b"` → dict; None for other lines."""
    at = line.find("event=")
    if at < 0:
        return None
    fields, rest = {}, line[at:]
    while rest:
        key, found, rest = rest.partition("=")
        if not found:
            break
        if rest.startswith('"'):
            end = 1
            while end < len(rest) and rest[end] != '"':
                end += 2 if rest[end] == "\\" else 1
            value, rest = rest[1:end], rest[end + 1:]
        else:
            value, _, rest = rest.partition(" ")
        fields[key.strip()] = value
        rest = rest.lstrip()
    return fields


def run(command, environment=None, netns=None, ok=(0,), timeout=300, text_input=None):
    """Runs to the end; returns the CompletedProcess. Raises CommandFailed with all output for another status."""
    full = (["ip", "netns", "exec", netns] if netns else []) + [str(part) for part in command]
    done = subprocess.run(full, env=environment, capture_output=True, text=True, timeout=timeout, check=False,
                          input=text_input)
    if ok is not None and done.returncode not in ok:
        raise CommandFailed(f"{' '.join(map(str, command))} ended with {done.returncode}\n{done.stdout}{done.stderr}")
    return done


def run_json(command, **options):
    done = run(command, **options)
    try:
        return json.loads(done.stdout)
    except ValueError as error:
        raise CommandFailed(f"{' '.join(map(str, command))}: not JSON: {error}\n{done.stdout}") from None
