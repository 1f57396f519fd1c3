"""Training on several machines: the printed commands, tried as agents on this one, each with a root of its own."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import sys

import pytest

from dojo.gpt.launch import LaunchError, commands
from dojo.gpt.runs import History

from ..trees import copy_tree
from .test_gpt import SCRIPT, UNIX, typed

NETWORK = "10.213.7"  # of the two network namespaces
NAMESPACES = ("kata0", "kata1")


@pytest.fixture(scope="module")
def roots(tmp_path_factory):
    """Two clones, as two machines have them."""
    first = copy_tree(tmp_path_factory.mktemp("first") / "clone")
    (first / "tiny.py").write_text(SCRIPT, encoding="utf-8")
    second = tmp_path_factory.mktemp("second") / "clone"
    shutil.copytree(first, second, symlinks=True)
    return first, second


@pytest.fixture(scope="module")
def alone(roots):
    """The losses of a run that one process trained."""
    status, shown = typed(roots[0], "python -m dojo train --impl solutions --run alone")
    assert status == 0, shown
    return History.read(roots[0] / "runs" / "alone").losses


def together(roots, line, at="127.0.0.1", inside=((), ()), **more):
    """What comes of the commands that a line prints, each typed on its machine: status and output of both."""
    status, printed = typed(roots[0], f"{line} --nodes 2 --at {at}")
    lines = [each for each in printed.splitlines() if "torch.distributed.run" in each]
    assert status == 0 and len(lines) == 2, printed
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "DOJO_DOOR"))}
    started = []
    for root, line, prefix in zip(roots, lines, inside):
        words = re.sub(r"-m dojo --", "tiny.py --", line).split()
        words = [*prefix, sys.executable, *words[1:]]
        own = environment | {"DOJO_ROOT": str(root), "PYTHONPATH": str(root), "OMP_NUM_THREADS": "1"} | more
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True, "encoding": "utf-8"}
        started.append(subprocess.Popen(words, cwd=root, env=own, **pipes))
    shown = [process.communicate()[0] for process in started]
    return [(process.returncode, each) for process, each in zip(started, shown)]


@UNIX
@pytest.mark.parametrize(("name", "killed"), [("pair", "0"), ("killed", "8")])
def test_two_agents_give_the_losses_of_one_process_also_where_one_is_killed(roots, alone, name, killed):
    first, second = together(roots, f"python -m dojo train --impl solutions --run {name}", KILL_AT=killed)
    assert (first[0], second[0]) == (0, 0), first[1] + second[1]
    assert History.read(roots[0] / "runs" / name).losses == pytest.approx(alone, abs=1e-4)
    assert "best validation loss" in first[1] and ("All began again, from step 6" in first[1]) == (killed == "8")
    assert f"takes part in the run {name}" in second[1] and "validation" not in second[1]
    assert not (roots[1] / "runs").exists()  # the first machine has it all


@UNIX
def test_machines_that_differ_are_told_in_what(roots):
    line = "python -m dojo train --impl solutions --run unequal"
    file = roots[1] / "solutions" / "k07_layer_norm" / "layer_norm.py"
    before = file.read_text(encoding="utf-8")
    file.write_text(before + "# changed\n", encoding="utf-8")
    try:
        (_, first), _ = together(roots, line)
    finally:
        file.write_text(before, encoding="utf-8")
    assert "The machines differ in the file of k07." in first and "Traceback" not in first


@pytest.fixture
def namespaces():
    """Two network namespaces with a cable between them, as two machines have their networks."""
    pair = [["netns", "add", name] for name in NAMESPACES]
    pair.append(["link", "add", "kata0c", "netns", "kata0", "type", "veth", "peer", "name", "kata1c", "netns", "kata1"])
    for number, name in enumerate(NAMESPACES):
        pair.append(["-n", name, "addr", "add", f"{NETWORK}.{number + 1}/24", "dev", f"{name}c"])
        pair += [["-n", name, "link", "set", device, "up"] for device in ("lo", f"{name}c")]
    try:
        for words in pair:
            try:
                subprocess.run(["ip", *words], check=True, capture_output=True)
            except (OSError, subprocess.CalledProcessError):
                pytest.skip("no network namespaces can be made here")
        yield [("ip", "netns", "exec", name) for name in NAMESPACES]
    finally:
        for name in NAMESPACES:
            subprocess.run(["ip", "netns", "delete", name], capture_output=True)


@pytest.mark.skipif(sys.platform != "linux" or not shutil.which("ip"), reason="needs Linux's network namespaces")
def test_two_network_namespaces_give_the_losses_of_one_process(roots, alone, namespaces):
    line = "python -m dojo train --impl solutions --run apart"
    first, second = together(roots, line, f"{NETWORK}.1:29500", namespaces)
    assert (first[0], second[0]) == (0, 0), first[1] + second[1]
    assert History.read(roots[0] / "runs" / "apart").losses == pytest.approx(alone, abs=1e-4)


def test_a_port_in_use_is_left_out_or_refused_where_it_was_named():
    with socket.socket() as taken:
        taken.bind(("", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(LaunchError, match=rf"Port {port} of 127.0.0.1 is in use. Name another: AT=127.0.0.1:\d+"):
            commands(2, 1, f"127.0.0.1:{port}", ["train"])
    with pytest.raises(LaunchError, match="host:port"):
        commands(2, 1, "127.0.0.1:x", ["train"])
    first, second = commands(2, 3, "elsewhere:29500", ["train", "verona", "--text", "my text"])
    assert "--node-rank=0" in first and "--node-rank=1" in second and "'my text'" in first
    assert "--nproc-per-node=3 --master-addr=elsewhere --master-port=29500" in second
