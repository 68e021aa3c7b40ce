#!/usr/bin/env python3
"""The agent's memory while it stages one release and serves another, how long it takes to start, and how much of a
1 Gbit/s line it fills and what a byte costs it, beside nginx. Status 1: a number was missed.

  agent_bench.py BIN_DIR [--megabytes N] [--clients N]

In a virtual site: N megabytes are active and fetched by so many clients without pause, while a second release of as many
new bytes is staged and activated. Then kill -9 and a start with all of it on the disk. Then 8 and 64 clients fetch, from the
agent and from nginx in turns, for CPU time and memory; and 50 once the pi's port is shaped to 1 Gbit/s. A request that
fails is a miss, and so is less than one release served while the other was staged. Prints one line of JSON."""
import argparse
import json
import os
import random
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "e2e"))
from farboot_lab import fleet, isolate, programs  # noqa: E402
from farboot_lab.site import Stage      # noqa: E402
from farboot_lab.wait import wait_for   # noqa: E402

STARTS = 5
PIECE_BYTES = 128 << 10
LINK_CLIENTS, LINK_ROUNDS, LINK_SECONDS = 50, 3, 6
CPU_CLIENTS, CPU_ROUNDS, CPU_SECONDS = (8, 64), 5, 3
LINK_BYTES_PER_SECOND = 1e9 / 8 * 1448 / 1514      # what TCP can carry over frames of 1514 bytes
NGINX = """daemon off; worker_processes 2; pid {work}/nginx.pid; error_log {work}/nginx.log crit; user root;
events {{ worker_connections 1024; }}
http {{
  access_log off; sendfile on; tcp_nopush on; tcp_nodelay on; keepalive_requests 1000000;
  open_file_cache max=2000; types {{ }} default_type application/octet-stream;
  client_body_temp_path {work}; proxy_temp_path {work}; fastcgi_temp_path {work}; uwsgi_temp_path {work}; scgi_temp_path {work};
  server {{ listen 8080; root {root}; }}
}}
"""
TREEINFO = ("[general]\nfamily = Bench\nversion = {}\narch = x86_64\n"
            "[images-x86_64]\nkernel = images/pxeboot/vmlinuz\ninitrd = images/pxeboot/initrd.img\n")


def make_image(folder, version, megabytes):
    """Packages of 1 to 5 MB that nothing compresses."""
    for name in ("vmlinuz", "initrd.img"):
        fleet.write(os.path.join(folder, "images", "pxeboot", name), f"{name} {version}\n")
    fleet.write(os.path.join(folder, ".treeinfo"), TREEINFO.format(version))
    source, left, paths = random.Random(version), megabytes << 20, []
    os.makedirs(os.path.join(folder, "Packages"))
    while left > 0:
        size = min(left, source.randrange(1 << 20, 5 << 20))
        paths.append((f"Packages/{len(paths)}.rpm", size))
        # As cp and rsync write: large writes make a cheaper page cache for nginx than a site's copy has.
        with open(os.path.join(folder, paths[-1][0]), "wb", buffering=0) as file:
            for begin in range(0, size, PIECE_BYTES):
                file.write(source.randbytes(min(PIECE_BYTES, size - begin)))
        left -= size
    return paths


def status_kb(pid, key):
    with open(f"/proc/{pid}/status", encoding="ascii") as file:
        return next(int(line.split()[1]) for line in file if line.startswith(key + ":"))


def http_counts(stage):
    """What the agent says of itself: (bytes of bodies sent, requests that did not get what they asked for)."""
    text = programs.run(["curl", "-fsS", f"http://{stage.net.pi}/v1/metrics"], netns=stage.net.pi_netns).stdout
    samples = [(name, labels, float(value)) for name, labels, value in re.findall(r"(?m)^farboot_http_(\w+)(\S*) (\S+)$", text)]
    sent = sum(value for name, _, value in samples if name == "sent_bytes_total")
    failed = sum(value for name, labels, value in samples
                 if name in ("short_bodies_total", "refused_connections_total")
                 or (name == "requests_total" and 'status="2xx"' not in labels))
    return sent, failed


def agent_pid(stage):
    """The daemon runs in place of `ip netns exec`."""
    return stage.agent.daemon.process.pid


def quiet(config):
    """The lab's programs log everything; those of a real site do not."""
    with open(config, encoding="utf-8") as file:
        text = file.read()
    fleet.write(config, text.replace('log_level = "debug"', 'log_level = "info"'))


def switch_entry(folder, old, new):
    path = os.path.join(folder, "fleet.yaml")
    with open(path, encoding="utf-8") as file:
        text = file.read()
    fleet.write(path, text.replace(old, new))


def load(options, stage, work, paths, clients, seconds, port=80, prefix="", pids=()):
    """http_load on the site's router, as a Popen."""
    sampled = ["--pids", ",".join(map(str, pids))] if pids else []
    listed = os.path.join(work, f"paths-{port}")
    fleet.write(listed, "".join(f"{prefix}/{path} {size}\n" for path, size in paths))
    return subprocess.Popen(["ip", "netns", "exec", stage.net.router_netns, os.path.join(options.bin, "http_load"),
                             f"{stage.net.pi}:{port}", listed, str(clients), "--seconds", str(seconds), *sampled],
                            stdout=subprocess.PIPE, text=True)


def stage_and_serve(options, stage, work):
    first, second = os.path.join(work, "first"), os.path.join(work, "second")
    paths = make_image(first, 1, options.megabytes)
    make_image(second, 2, options.megabytes)
    folder = fleet.write_fleet(os.path.join(work, "fleet"))
    stage.bring_up(first, folder)
    stage.controller.cli("image", "import", second, "--name", "centos7", "--tag", "1804", timeout=3600)
    switch_entry(folder, "centos7@1708", "centos7@1804")
    stage.controller.cli("apply", folder)
    # By its digest the first one is served until the end; by its name only while it is active.
    tree = stage.controller.json("image", "show", "centos7@1708")["manifest"]
    sent, failed = http_counts(stage)
    clients = load(options, stage, work, paths, options.clients, 3600, prefix=f"/t/{tree}")
    began = time.monotonic()
    try:
        stage.roll_out("r2", timeout=3600)
        if clients.poll() is not None:
            raise programs.CommandFailed(f"the clients ended with {clients.returncode} while the second release was staged")
        sent_then, failed_then = http_counts(stage)
    finally:
        clients.kill()
        clients.wait()
    pid = agent_pid(stage)
    return {"staged_and_served_seconds": round(time.monotonic() - began, 1),
            "served_while_staging_mb": round((sent_then - sent) / 2**20), "failures_while_staging": round(failed_then - failed),
            "peak_rss_mb": round(status_kb(pid, "VmHWM") / 1024, 1),
            "anonymous_rss_mb": round(status_kb(pid, "RssAnon") / 1024, 1)}


def starts(stage):
    seconds = []
    for _ in range(STARTS):
        stage.agent.daemon.kill()
        began = time.monotonic()
        stage.agent.daemon.start()
        seconds.append(time.monotonic() - began)
    return {"start_to_serving_seconds": [round(s, 2) for s in sorted(seconds)]}


def with_children(pid):
    with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:
        return [pid, *map(int, file.read().split())]


def beside_nginx(options, stage, work):
    second = os.path.join(work, "second")
    paths = [(f"Packages/{name}", os.path.getsize(os.path.join(second, "Packages", name)))
             for name in sorted(os.listdir(os.path.join(second, "Packages")))[:150]]
    config = os.path.join(work, "nginx.conf")
    fleet.write(config, NGINX.format(work=work, root=second))
    nginx = subprocess.Popen(["ip", "netns", "exec", stage.net.pi_netns, "nginx", "-p", work, "-c", config])
    wait_for("nginx has its workers", lambda: len(with_children(nginx.pid)) == 3, 20)
    servers = {"nginx": (8080, "", nginx.pid), "farboot": (80, "/images/centos7@1804", agent_pid(stage))}

    def fetch(clients, seconds):
        rows = {}
        for name, (port, prefix, pid) in servers.items():
            out, _ = load(options, stage, work, paths, clients, seconds, port, prefix, with_children(pid)).communicate()
            rows[name] = json.loads(out)
        return rows
    try:
        fetch(LINK_CLIENTS, LINK_SECONDS)                   # warms the page cache
        costs = {clients: [fetch(clients, CPU_SECONDS) for _ in range(CPU_ROUNDS)] for clients in CPU_CLIENTS}
        stage.net.sh("shape", "lan", "1gbit")
        shaped = [fetch(LINK_CLIENTS, LINK_SECONDS) for _ in range(LINK_ROUNDS)]
    finally:
        nginx.terminate()
        nginx.wait()
    median = lambda values: round(statistics.median(values), 4)  # noqa: E731
    result = {f"share_of_1gbit_{name}": median(row[name]["mb_per_second"] * 1e6 / LINK_BYTES_PER_SECOND for row in shaped)
              for name in servers}
    for clients, rows in costs.items():
        for key in ("mb_per_cpu_second", "mb_per_second"):
            result[f"{key}_to_nginx_{clients}"] = median(row["farboot"][key] / row["nginx"][key] for row in rows)
    for name in servers:
        result[f"failures_{name}"] = sum(row[name]["failures"] for row in shaped + [row for rows in costs.values() for row in rows])
    result["anonymous_mb_serving_64"] = median(row["farboot"]["anonymous_mb"] for row in costs[64])
    return result


def misses(result):
    limits = {"peak_rss_mb": (None, 256), "share_of_1gbit_farboot": (0.99, None), "mb_per_cpu_second_to_nginx_8": (1, None),
              "mb_per_cpu_second_to_nginx_64": (1, None), "anonymous_mb_serving_64": (None, 64),
              "served_while_staging_mb": (result["release_mb"], None), "failures_while_staging": (None, 0),
              "failures_farboot": (None, 0), "failures_nginx": (None, 0)}
    found = [f"{key} is {result[key]}, wanted {f'at most {high}' if low is None else f'at least {low}'}"
             for key, (low, high) in limits.items()
             if (low is not None and result[key] < low) or (high is not None and result[key] > high)]
    if max(result["start_to_serving_seconds"]) > 2:
        found.append("start to serving took more than 2 s")
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bin")
    parser.add_argument("--megabytes", type=int, default=1024, help="of each release")
    parser.add_argument("--clients", type=int, default=16)
    options = parser.parse_args()
    isolate.isolate()
    options.bin = os.path.abspath(options.bin)
    work = tempfile.mkdtemp(prefix="farboot-agent-bench-", dir="/var/tmp")
    try:
        with Stage(os.path.join(work, "stage"), options.bin) as stage:
            quiet(stage.agent.config)
            result = {"release_mb": options.megabytes, "clients": options.clients, **stage_and_serve(options, stage, work),
                      **starts(stage), **beside_nginx(options, stage, work)}
        print(json.dumps(result))
        for miss in misses(result):
            print(f"missed: {miss}", file=sys.stderr)
        return 1 if misses(result) else 0
    finally:
        shutil.rmtree(work, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
