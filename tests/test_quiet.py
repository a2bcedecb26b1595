"""tars_hub.quiet: C libraries keep silent while asked to, and nobody else does."""

from __future__ import annotations

import ctypes
import inspect
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from tars_hub import quiet as module
from tars_hub.quiet import cv2, quiet

ROOT = Path(__file__).parents[1]
glibc = pytest.mark.skipif(module._c_stderr() is None, reason="this C library's stderr cannot be swapped")


def c_print(line: str) -> None:
    """As libpng does it: to whatever C's stderr is now."""
    library = ctypes.CDLL(None)
    stderr = ctypes.c_void_p.in_dll(library, "stderr")
    library.fputs(line.encode(), stderr)
    library.fflush(stderr)


@glibc
def test_c_is_silent_inside_only(capfd: pytest.CaptureFixture[str]) -> None:
    c_print("before ")
    with quiet():
        c_print("inside ")
    c_print("after")
    assert capfd.readouterr().err == "before after"


def test_python_and_the_descriptor_are_left_alone(capfd: pytest.CaptureFixture[str]) -> None:
    with quiet():
        os.write(2, b"descriptor ")
        print("python", file=sys.__stderr__, flush=True)
    assert capfd.readouterr().err == "descriptor python\n"


@glibc
def test_last_out_ends_the_silence(capfd: pytest.CaptureFixture[str]) -> None:
    with quiet():
        with quiet():
            pass
        c_print("inside ")
    with pytest.raises(KeyError), quiet():
        raise KeyError
    c_print("after")
    assert capfd.readouterr().err == "after"


def test_opencv_has_its_log_level_back() -> None:
    log = cv2.utils.logging
    before = log.getLogLevel()
    log.setLogLevel(log.LOG_LEVEL_ERROR)
    try:
        with quiet():
            assert log.getLogLevel() == log.LOG_LEVEL_SILENT
        assert log.getLogLevel() == log.LOG_LEVEL_ERROR
    finally:
        log.setLogLevel(before)


@glibc
def test_many_threads(capfd: pytest.CaptureFixture[str]) -> None:
    start = threading.Barrier(8)

    def work() -> None:
        start.wait()
        for _ in range(300):
            with quiet():
                c_print("inside ")

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    c_print("after")
    assert capfd.readouterr().err == "after"


@glibc
@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_forked_child_speaks_and_does_not_wait() -> None:
    """The threads that would have ended the silence are not in the child."""
    script = """
import ctypes, os, threading
from tars_hub.quiet import _HUSH, quiet
{function}
inside, done = threading.Event(), threading.Event()
def hold():
    with quiet():
        inside.set()
        done.wait()
thread = threading.Thread(target=hold)
thread.start()
inside.wait()
with _HUSH._lock:
    child = os.fork()
    if child == 0:
        c_print("child")
        with quiet():
            c_print("inside")
        os._exit(0)
os.waitpid(child, 0)
c_print("parent")
done.set()
thread.join()
c_print(" after")
"""
    script = script.replace("{function}", inspect.getsource(c_print))
    command = [sys.executable, "-W", "ignore", "-c", script]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60, cwd=ROOT)
    assert done.stderr == "child after"


def test_without_a_variable_to_swap(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_c_stderr", lambda: None)
    with quiet():
        assert cv2.utils.logging.getLogLevel() == cv2.utils.logging.LOG_LEVEL_SILENT


def test_missing_libraries_are_named(tmp_path: Path) -> None:
    (tmp_path / "cv2.py").write_text("raise ImportError('libGL.so.1: cannot open shared object file')")
    script = (
        "from tars_hub.errors import TarsError\n"
        "try:\n    import tars_hub.preprocess\n"
        "except TarsError as error:\n    print(error)\n"
    )
    command = [sys.executable, "-c", script]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), str(ROOT)])}
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    assert "libGL.so.1" in done.stdout
    assert "apt-get install libgl1 libglib2.0-0" in done.stdout
    assert "pip install opencv-python-headless" in done.stdout
