"""The manifest's pods as containers, and what a kubelet and a scrape ask them."""

import json
import subprocess
import time
import urllib.error
import urllib.request

from miss import Miss

LABEL = "cdc-stand-in-pod"
LOG_LINES = 12
# A start, a takeover or a message may take so long.
LIMIT_SECONDS = 120
# A proxy that the environment names knows nothing of containers.
HTTP = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def docker(*arguments, check=True):
    done = subprocess.run(["docker", *arguments], stdin=subprocess.DEVNULL, capture_output=True, text=True)
    if check and done.returncode != 0:
        command = arguments[0]
        raise Miss(f"`docker {command}` failed ({done.returncode}): {done.stderr.strip() or done.stdout.strip()}")
    return done.stdout.strip()


def remove_pods():
    if pods := docker("ps", "--all", "--quiet", f"--filter=label={LABEL}").split():
        docker("rm", "--force", *pods)


class Pod:
    def __init__(self, manifest, index, image, network, mounts, token):
        self.manifest, self.index, self.image, self.token = manifest, index, image, token
        self.name = manifest.pod_name(index)
        environment = manifest.environment(index).items()
        self.options = [
            f"--network={network}",
            f"--label={LABEL}",
            # It is docker's; a kubelet does not look at it.
            "--no-healthcheck",
            *manifest.restrictions(),
            *mounts,
            *(f"--env={name}={value}" for name, value in environment),
        ]
        self.probes = {kind: manifest.probe(kind) for kind in ("liveness", "readiness")}
        self.container = self.address = None

    def start(self):
        self.container = docker("run", "--detach", f"--hostname={self.name}", *self.options, self.image)
        [network] = json.loads(docker("inspect", self.container))[0]["NetworkSettings"]["Networks"].values()
        self.address = network["IPAddress"]

    def command(self, *arguments):
        """Runs another command of the engine as the pod would."""
        return docker("run", "--rm", *self.options, self.image, *arguments)

    def ask(self, path, port, timeout_seconds=5, token=None):
        """Status and body of the answer; no status and the reason where there is none."""
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        request = urllib.request.Request(f"http://{self.address}:{port}{path}", headers=headers)
        try:
            with HTTP.open(request, timeout=timeout_seconds) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()
        except OSError as error:
            return None, f"nothing ({getattr(error, 'reason', error)})"

    def why_not(self, kind):
        """Why the probe fails, and nothing if it does not."""
        probe = self.probes[kind]
        status, body = self.ask(probe.path, probe.port, probe.timeout_seconds)
        if status and 200 <= status < 400:
            return None
        return f"{kind} probe of {self.name}: {probe.path} on port {probe.port} answers {status or body}"

    def tell(self, path, token=None):
        """As `ask`, at the port that the probes ask."""
        return self.ask(path, self.probes["readiness"].port, token=token)

    def role(self):
        status, body = self.tell("/ready", self.token)
        return json.loads(body)["role"] if status else None

    def confirmed(self):
        status, body = self.tell("/metrics", self.token)
        lines = body.splitlines() if status == 200 else []
        return sum(float(line.split()[-1]) for line in lines if line.startswith("cdc_messages_confirmed_total{"))

    def kill(self):
        docker("kill", self.container)

    def stop(self):
        """Seconds that it takes to end by SIGTERM, before the grace period is over."""
        started = time.monotonic()
        docker("stop", f"--time={self.manifest.grace_seconds}", self.container)
        took = time.monotonic() - started
        state = self.state()
        if state["ExitCode"] != 0:
            end = f"exit code {state['ExitCode']} {took:.1f} s after SIGTERM"
            raise Miss(f"{self.name} ended with {end}; it has {self.manifest.grace_seconds} s")
        return took

    def state(self):
        return json.loads(docker("inspect", self.container))[0]["State"]

    def ensure_runs(self):
        state = self.state()
        if not state["Running"]:
            of_memory = ", out of memory" if state["OOMKilled"] else ""
            raise Miss(f"{self.name} has ended by itself, with exit code {state['ExitCode']}{of_memory}")

    def log(self):
        command = ["docker", "logs", f"--tail={LOG_LINES}", self.container]
        return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True).stdout.strip()


def wait(why_not, *pods):
    """Waits until `why_not` has no reason left, while all `pods` run; how many seconds it took."""
    started = time.monotonic()
    while why := why_not():
        for pod in pods:
            pod.ensure_runs()
        if LIMIT_SECONDS < time.monotonic() - started:
            raise Miss(f"{why}, after {LIMIT_SECONDS} s")
        time.sleep(0.1)
    return time.monotonic() - started
