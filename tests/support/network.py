"""Machines in network namespaces: each with an address on a bridge, to be cut off and counted. Linux, root."""

import contextlib
import os
import signal
import subprocess
import tempfile
from pathlib import Path

PREFIX = "10.231.77"


class NotPermittedError(Exception):
    """There can be no network namespaces here; the message says why."""


def ip(*words):
    """Runs `ip`; raises NotPermittedError with what it says."""
    try:
        done = subprocess.run(["ip", *map(str, words)], capture_output=True, text=True)
    except OSError as error:
        raise NotPermittedError(f"ip of iproute2 cannot be run: {error}") from error
    if done.returncode:
        raise NotPermittedError(f"ip {' '.join(map(str, words))}: {done.stderr.strip()}")
    return done.stdout


class Machine:
    """A namespace with one interface on the bridge."""

    def __init__(self, number, bridge):
        self.address = f"{PREFIX}.{number}"
        self._name, self._cable = f"{bridge}-{number}", f"{bridge}v{number}"
        self._log = tempfile.TemporaryFile()  # noqa: SIM115
        self._processes = []
        inside = ("-n", self._name)
        ip("netns", "add", self._name)
        ip("link", "add", self._cable, "type", "veth", "peer", "name", "eth0", "netns", self._name)
        ip("link", "set", self._cable, "master", bridge, "up")
        ip(*inside, "address", "add", f"{self.address}/24", "dev", "eth0")
        ip(*inside, "link", "set", "lo", "up")
        ip(*inside, "link", "set", "eth0", "up")
        ip(*inside, "route", "add", "default", "dev", "eth0")  # Ray asks for the way out to learn its own address

    def start(self, *command, **options):
        """A process on this machine."""
        command = ["ip", "netns", "exec", self._name, *map(str, command)]
        self._processes.append(subprocess.Popen(command, **options))
        return self._processes[-1]

    def run(self, *command, **options):
        """A command on this machine, to its end."""
        process = self.start(*command, stdout=self._log, stderr=self._log, **options)
        if process.wait(120):
            self._log.seek(0)
            raise RuntimeError(self._log.read().decode("utf-8", "replace"))

    def cut(self):
        """Pulls the cable: what is on its way is lost, and nobody is told."""
        ip("link", "set", self._cable, "down")

    def traffic(self):
        """Bytes that have come out of this machine and gone into it, with all headers."""
        counters = Path("/sys/class/net") / self._cable / "statistics"
        return tuple(int((counters / name).read_text()) for name in ("rx_bytes", "tx_bytes"))

    def remove(self):
        """Ends all that runs on it, and the machine."""
        with contextlib.suppress(NotPermittedError):
            for process in ip("netns", "pids", self._name).split():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(int(process), signal.SIGKILL)
            ip("link", "delete", self._cable)
            ip("netns", "delete", self._name)
        for process in self._processes:
            with process:  # closes its pipes
                process.kill()
        self._log.close()


class Network:
    """A bridge and the machines on it; a context manager that leaves nothing behind."""

    def __init__(self):
        self._bridge = f"ng{os.getpid() % 100_000}"
        self._machines = []
        ip("link", "add", self._bridge, "type", "bridge")
        ip("link", "set", self._bridge, "up")

    def machine(self):
        """One more."""
        self._machines.append(Machine(len(self._machines) + 1, self._bridge))
        return self._machines[-1]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for machine in self._machines:
            machine.remove()
        ip("link", "delete", self._bridge)
