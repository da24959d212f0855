#!/usr/bin/env python3
"""Runs the engine's image with docker as a kubelet would run the pods of packaging/kubernetes/cdc.yaml.

Everything about the pods is read from the manifest. MongoDB and RabbitMQ are those of docker-compose.yaml, of the
images that MONGO_IMAGE and RABBITMQ_IMAGE name. CDC_IMAGE names what stands for the manifest's image. Needs docker,
cargo, PyYAML, and root, whose files a Secret's are.
"""

import contextlib
import os
import secrets
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import servers
from manifest import Manifest
from miss import Miss
from pods import Pod, docker, remove_pods, wait

ROOT = Path(__file__).resolve().parents[2]
MANIFEST = ROOT / "packaging" / "kubernetes" / "cdc.yaml"

DOCUMENTS = 1500
# A takeover is in the midst of them.
RATE = 300
LOAD_SECONDS = 120


class StatefulSet:
    """The pods of the manifest, and what they have to do in turn."""

    def __init__(self, manifest, image, servers, folder):
        self.manifest, self.image, self.servers = manifest, image, servers
        self.token = secrets.token_hex(32)
        # With a line break at the end, as an editor writes them.
        files = {
            "mongodb.txt": servers.mongo_uri() + "\n",
            "rabbitmq.txt": servers.rabbitmq_uri() + "\n",
            "admin-token.txt": self.token + "\n",
        }
        self.mounts = list(manifest.mounts(folder, files))
        self.pods = []

    def start(self, manifest, roles):
        pods = [self.pod(manifest, index) for index in range(manifest.replicas)]
        self.pods = []
        for pod in pods:
            pod.start()
            self.pods.append(pod)
        self.wait_until_well(roles)

    def pod(self, manifest, index):
        return Pod(manifest, index, self.image, self.servers.network, self.mounts, self.token)

    def wait_until_well(self, roles):
        live, ready = (self.wait(lambda: self.why_not(kind)) for kind in ("liveness", "readiness"))
        self.wait(lambda: self.why_not_roles(roles))
        told = ", ".join(f"{pod.name} is {pod.role()}" for pod in self.pods)
        say(f"live after {live:.1f} s, ready {ready:.1f} s later: {told}")

    def why_not(self, kind):
        """Why the probe of the first pod that fails it does."""
        return next((why for pod in self.pods if (why := pod.why_not(kind))), None)

    def why_not_roles(self, roles):
        """The roles that the pods have in place of these; which pod has which is not said."""
        found = sorted(str(pod.role()) for pod in self.pods)
        return None if found == sorted(roles) else f"the roles are {found}, not {sorted(roles)}"

    def wait(self, why_not):
        return wait(why_not, *self.pods)

    def ask_for_metrics(self):
        for pod in self.pods:
            for token, wanted in (None, 401), (self.token, 200):
                status, body = pod.tell("/metrics", token)
                if status != wanted:
                    with_token = "with" if token else "without"
                    raise Miss(f"{pod.name}: /metrics {with_token} the token answers {status or body}, not {wanted}")
        say("/metrics answers 401 without the token and 200 with it")

    def take_over(self):
        """Kills the leader while documents are inserted, and has it started again."""
        [leader] = [pod for pod in self.pods if pod.role() == "leader"]
        others = [pod for pod in self.pods if pod is not leader]
        before = leader.confirmed()
        with self.load() as load:
            self.wait(lambda: None if before < leader.confirmed() else f"{leader.name} publishes nothing")
            began = time.monotonic()
            leader.kill()
            wait(lambda: self.why_no_leader(others), *others)
            took = time.monotonic() - began
            if load.poll() is not None:
                raise Miss("all documents were inserted before the takeover")
        say(f"{leader.name} killed amid {DOCUMENTS} inserts: another leads after {took:.1f} s, all arrived in order")
        leader.start()
        self.wait_until_well(["leader"] + ["standby"] * len(others))

    def why_no_leader(self, pods):
        return None if any(pod.role() == "leader" for pod in pods) else "no pod takes over"

    @contextlib.contextmanager
    def load(self):
        """Inserts documents meanwhile, and holds that all arrive in order."""
        command = ["cargo", "xtask", "local-test-cdc", f"--count={DOCUMENTS}", f"--rate={RATE}", "--batch=10"]
        # As the engine is set, beside where the servers are.
        environment = os.environ | self.manifest.settings()
        pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
        process = subprocess.Popen(command, cwd=ROOT, env=environment, text=True, **pipes)
        failure = None
        try:
            yield process
            process.wait(LOAD_SECONDS)
        except (Miss, subprocess.TimeoutExpired) as error:
            failure = error
        finally:
            process.kill()
        output, _ = process.communicate()
        if failure or process.returncode != 0:
            end = failure or f"exit code {process.returncode}"
            raise Miss(f"{end}; `{' '.join(command)}` printed:\n{output.strip()}")

    def stop(self):
        took = [f"{pod.name} after {pod.stop():.1f} s" for pod in self.pods]
        say(f"SIGTERM ends {', '.join(took)}, each with exit code 0; {self.manifest.grace_seconds} s are allowed")

    def divide(self):
        """A share for each pod, as docs/scaling.md says."""
        shares = self.manifest.replicas
        self.pods[0].command("checkpoint", "divide", str(shares), "--yes")
        self.start(self.manifest.shared_by(shares), ["leader"] * shares)
        self.insert(DOCUMENTS)
        self.wait(lambda: self.why_not_confirmed(DOCUMENTS))
        told = ", ".join(f"{pod.name} {pod.confirmed():.0f}" for pod in self.pods)
        say(f"{shares} shares of {DOCUMENTS} documents published: {told}")

    def insert(self, count):
        database = self.manifest.settings()["MONGO_DATABASE_NAME"]
        documents = f"Array.from({{length: {count}}}, (_, number) => ({{number}}))"
        self.servers.shell(f"db.getSiblingDB('{database}').shared.insertMany({documents})")

    def why_not_confirmed(self, count):
        confirmed = [pod.confirmed() for pod in self.pods]
        if all(confirmed) and count <= sum(confirmed):
            return None
        return f"of {count} documents the shares published {confirmed}"


def check(manifest, image):
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        at_work = stack.enter_context(servers.started())
        stack.callback(remove_pods)
        pods = StatefulSet(manifest, image, at_work, folder)
        say("servers started")
        try:
            pods.start(manifest, ["leader"] + ["standby"] * (manifest.replicas - 1))
            pods.ask_for_metrics()
            pods.take_over()
            pods.stop()
            pods.divide()
            pods.stop()
        except Miss as miss:
            logs = [f"{pod.name} wrote last:\n{pod.log()}" for pod in pods.pods]
            raise Miss("\n\n".join([str(miss), *logs])) from None


def say(text):
    print(f"{time.monotonic() - STARTED:5.1f} s  {text}", flush=True)


def main():
    # So that what was started is stopped.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(130))
    manifest = Manifest(MANIFEST.read_text())
    image = os.environ.get("CDC_IMAGE", manifest.image)
    docker("image", "inspect", image)
    remove_pods()
    check(manifest, image)
    say(f"{image} runs as {MANIFEST.relative_to(ROOT)} says")


STARTED = time.monotonic()
try:
    main()
except Miss as miss:
    sys.exit(f"error: {miss}")
