"""Real processes killed, stopped and started late at random moments: each run must end with the bits of one process.

    python benchmarks/chaos.py                       # all: 250 events, then the cluster; on Linux, half an hour or more
    python benchmarks/chaos.py --only drivers        # or workers, stops, ray
    python benchmarks/chaos.py --only stops --events 10 --seed 3

drivers: the training itself is killed (SIGKILL), resumed, killed again. workers: its worker processes are. stops: a
worker is stopped (SIGSTOP) as soon as it appears, so that it becomes ready late, or while it works, and continued after
a while. ray: on a cluster of three nodes of this machine, with both exchanges, actors are killed, nodes removed and
added. The moments are drawn from the seed; what a process does at that moment is up to the machine.

A run counts where its metrics (but for times and bytes) and its last checkpoint equal those of the same run on one
undisturbed process, bit by bit.
"""

import argparse
import hashlib
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from safetensors import safe_open

sys.path.insert(0, str(Path(__file__).parent.parent / "tests" / "support"))
from processes import alive, descendants_of

TIMES = ("seconds", "bytes_up", "bytes_down")
COMMON = "--eval-every 10 --checkpoint-every 5 --seed 3"
# Small, but for some seconds at work: what is tested are moments, and each event costs the start of a process.
WORKS = {  # with how many generations
    "digits": (f"digits --model mlp:16 --population 64 --batch 64 {COMMON}", 400),
    "node with ranks": (
        f"digits --perturbation node --model mlp:32,32 --batch 64 --directions 8 --shaping centered_rank {COMMON}",
        400,
    ),
    "snes": (f"digits --strategy snes --model mlp:16 --population 64 --batch 64 {COMMON}", 400),
    "CartPole": (f"CartPole-v1 --model mlp:8 --population 16 --eval-episodes 1 {COMMON}", 40),
}
MOST = 10  # events that befall one training: then it is left to come to its end
SCALARS = ("snes", "CartPole")  # fitness travels before the estimate, so that scalars may be exchanged


def command(words: str) -> list[str]:
    return [sys.executable, "-m", "nograd", "train", *words.split()]


def start(words: str) -> subprocess.Popen:
    return subprocess.Popen(command(words), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)


def finish(process: subprocess.Popen, but: str = "") -> bool:
    """Waits for its end: whether it came well. Raises where it failed with other words than `but`, and says them."""
    _, said = process.communicate(timeout=900)
    if process.returncode and not (but and but in said):
        raise RuntimeError(f"exit code {process.returncode}: {said.strip()[-2000:]}")
    return not process.returncode


def digest(run: Path) -> str:
    """SHA-256 over the metrics and the last checkpoint, bit by bit."""
    found = hashlib.sha256()
    for text in (run / "metrics.jsonl").read_text("utf-8").splitlines():
        line = {name: value for name, value in json.loads(text).items() if name not in TIMES}
        found.update(json.dumps(line, sort_keys=True).encode())
    with safe_open(max((run / "checkpoints").glob("generation-*")), framework="numpy") as file:
        for name in sorted(file.keys()):
            found.update(np.ascontiguousarray(file.get_tensor(name)).tobytes())
    return found.hexdigest()


def words_of(work: str, times: int) -> str:
    """The words of a training, as many times as long."""
    words, generations = WORKS[work]
    return f"{words} --generations {times * generations}"


def reference(words: str, path: Path) -> str:
    """The digest of an undisturbed run on one process, made once."""
    if not path.exists():
        subprocess.run([*command(f"{words} --engine inline --out"), str(path)], check=True, capture_output=True)
    return digest(path)


def workers_of(driver: int) -> list[int]:
    """The worker processes of a training."""
    found = []
    for process in descendants_of(driver):
        try:
            words = Path(f"/proc/{process}/cmdline").read_bytes()
        except OSError:
            continue
        if b"process_main" in words or b"ray::" in words:
            found.append(process)
    return found


class Count:
    """What was done, and what came of it."""

    def __init__(self, kind: str, wanted: int) -> None:
        self.kind, self.wanted = kind, wanted
        self.events, self.runs, self.equal, self._before = 0, 0, 0, 0

    @property
    def left(self) -> int:
        """Events that may still befall this training."""
        return min(self.wanted - self.events, self._before + MOST - self.events)

    def ended(self, work: str, same: bool) -> None:
        self.runs, self.equal, self._before = self.runs + 1, self.equal + same, self.events
        print(f"{self.kind}: {self.events} of {self.wanted}, {work}: {'equal' if same else 'DIFFERENT'}", flush=True)

    def __str__(self) -> str:
        return f"{self.kind}: {self.events} events in {self.runs} runs, of which {self.equal} bitwise equal"


def send(process: int, number: int) -> bool:
    """Sends a signal; whether the process was there."""
    try:
        os.kill(process, number)
    except ProcessLookupError:
        return False
    return True


# Kinds of events -------------------------------------------------------------------------------------------


def kill_drivers(draw: random.Random, words: str, out: Path, count: Count) -> None:
    """Starts, kills and resumes until the training has come to its end."""
    while True:
        process = start(going_on(f"{words} --engine process --workers 2", out))
        waits, seconds = draw.random() < 0.7, draw.uniform(0.0, 4.0)  # for a generation first, or from the very start
        lines, end = size(out), time.monotonic() + seconds
        while count.left and process.poll() is None and time.monotonic() < end:
            if waits and size(out) != lines:
                waits, end = False, time.monotonic() + seconds
            end = max(end, time.monotonic() + 1.0) if waits else end
            time.sleep(0.01)
        if not count.left or process.poll() is not None:
            finish(process)
            return
        workers = workers_of(process.pid)
        process.kill()
        process.wait()
        count.events += 1
        require_ended(workers)


def kill_workers(draw: random.Random, words: str, out: Path, count: Count) -> None:
    """Kills a worker every few seconds. Where that was too often in a row, as the error says, the training goes on."""
    while True:
        process = start(going_on(f"{words} --engine process --workers 4", out))
        while count.left and process.poll() is None:
            time.sleep(draw.uniform(0.0, 3.0))
            if (found := workers_of(process.pid)) and process.poll() is None:
                count.events += send(draw.choice(found), signal.SIGKILL)
        if finish(process, but="times in a row"):
            return


def stop_workers(draw: random.Random, words: str, out: Path, count: Count) -> None:
    """Stops workers when they appear, or in the middle, and continues them after a while."""
    seen, stopped = set(), {}
    process = start(f"{words} --engine process --workers 3 --deadline 2 --out {out}")
    while process.poll() is None:
        time.sleep(0.02)
        now = time.monotonic()
        for worker in workers_of(process.pid):
            appeared, busy = worker not in seen, draw.random() < 0.004
            seen.add(worker)
            if count.left and worker not in stopped and (appeared or busy) and send(worker, signal.SIGSTOP):
                stopped[worker] = now + draw.uniform(0.1, 4.0)
                count.events += 1
        for worker in [worker for worker, end in stopped.items() if now >= end]:
            del stopped[worker]
            send(worker, signal.SIGCONT)
    finish(process)
    require_ended(seen)


def going_on(words: str, out: Path) -> str:
    """The words of a training, or those that resume it."""
    if (out / "config.json").exists():
        return f"--resume {out} --workers {words.partition('--workers ')[2]}"
    return f"{words} --out {out}"


def size(run: Path) -> int:
    """Bytes of the metrics so far."""
    path = run / "metrics.jsonl"
    return path.stat().st_size if path.exists() else 0


def require_ended(workers: Iterable[int]) -> None:
    """Raises where workers outlive their training."""
    end = time.monotonic() + 10.0
    while left := [worker for worker in workers if alive(worker)]:
        if time.monotonic() > end:
            raise RuntimeError(f"workers {left} outlived their training")
        time.sleep(0.05)


# A cluster -------------------------------------------------------------------------------------------------


@contextmanager
def cluster_of_three() -> Iterator[object]:
    import ray
    from ray.cluster_utils import Cluster

    made = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    made.others = [made.add_node(num_cpus=1), made.add_node(num_cpus=1)]
    try:
        yield made
    finally:
        ray.shutdown()
        made.shutdown()


def actors() -> list[int]:
    """The processes of nograd's actors on this machine."""
    found = []
    for words in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if words.read_bytes().startswith(b"ray::Replica"):
                found.append(int(words.parent.name))
        except OSError:
            continue
    return found


def disturb_cluster(draw: random.Random, words: str, out: Path, count: Count) -> None:
    """Kills actors, removes nodes and adds them, with either exchange."""
    exchange = draw.choice(("sums", "scalars")) if any(word in words for word in SCALARS) else "sums"
    with cluster_of_three() as cluster:
        how = f"--engine ray --address {cluster.address} --workers 3 --exchange {exchange} --out {out}"
        process = start(f"{words} {how}")
        while count.left and process.poll() is None:
            time.sleep(draw.uniform(0.5, 5.0))
            if process.poll() is not None or not (found := actors()):
                continue
            event = draw.choice(("kill", "remove", "add"))
            if event == "kill":
                count.events += send(draw.choice(found), signal.SIGKILL)
            elif event == "remove" and cluster.others:
                cluster.remove_node(cluster.others.pop(), allow_graceful=False)
                count.events += 1
            elif event == "add" and len(cluster.others) < 3:
                cluster.others.append(cluster.add_node(num_cpus=1))
                count.events += 1
            time.sleep(5.0)
        finish(process)


# What is done, how many events, and how many times as long its trainings are: an actor takes its time to start.
KINDS: dict[str, tuple[Callable[..., None], int, int]] = {
    "drivers": (kill_drivers, 100, 1),
    "workers": (kill_workers, 100, 1),
    "stops": (stop_workers, 50, 1),
    "ray": (disturb_cluster, 30, 6),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=KINDS)
    parser.add_argument("--events", type=int, help="in place of each kind's own number")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    counts = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for kind, (play, events, times) in KINDS.items():
            if given.only in (None, kind):
                draw, count = random.Random(f"{kind} {given.seed}"), Count(kind, given.events or events)
                while count.events < count.wanted:
                    work = list(WORKS)[count.runs % len(WORKS)]
                    out = folder / f"{kind}-{count.runs}"
                    play(draw, words_of(work, times), out, count)
                    right = reference(words_of(work, times), folder / f"reference {work}, {times}")
                    count.ended(work, digest(out) == right)
                counts.append(count)
    print(*counts, sep="\n")
    sys.exit(any(count.runs != count.equal for count in counts))


if __name__ == "__main__":
    main()
