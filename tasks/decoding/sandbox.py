"""Limits that a process puts on itself before it opens what a stranger has sent, and cannot take off again.

A file that makes a decoder ask for gigabytes, run for ever or do somebody else's bidding ends this process, and nobody
else. It is started without our environment (`tasks.system.processes.bare_environment`), so there is no token to find.
"""

import ctypes
import os
import platform
import resource
import signal
import struct
import sys

PR_SET_PDEATHSIG, PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP, SECCOMP_MODE_FILTER = 1, 38, 22, 2
ALLOW, REFUSE = 0x7FFF0000, 0x00050000 | 1  # SECCOMP_RET_ALLOW; SECCOMP_RET_ERRNO with EPERM
LOAD, JUMP_IF_EQUAL, JUMP_IF_AT_LEAST, RETURN = 0x20, 0x15, 0x35, 0x06  # BPF: ld [k], jeq, jge, ret
NUMBER, ARCHITECTURE = 0, 4  # offsets in `struct seccomp_data`
X32 = 0x40000000  # the other way to call an x86-64 kernel

REFUSED = {
    "x86_64": (
        0xC000003E,
        # socket … listen, socketpair, fork, vfork, execve, ptrace, mount, unshare, accept4, perf_event_open,
        # open_by_handle_at, setns, process_vm_readv/writev, bpf, execveat, userfaultfd, io_uring_setup
        (*range(41, 51), 53, 57, 58, 59, 101, 165, 272, 288, 298, 304, 308, 310, 311, 321, 322, 323, 425),
    ),
    "aarch64": (
        0xC00000B7,
        # the same: mount, unshare, ptrace, socket … sendmsg, execve, perf_event_open, accept4, …
        (40, 97, 117, *range(198, 212), 221, 241, 242, 265, 268, 270, 271, 280, 281, 282, 425),
    ),
}
"""System calls that reading a file never needs, by machine: its audit number, and theirs (`asm/unistd_64.h`)."""


def enter(*, memory: int, seconds: float, written: int, files: int = 64) -> None:
    """Limit this process: bytes of memory, seconds of processor time, bytes in a file that it writes, open files. On
    Linux it also gets no network and no other program.
    """
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.platform == "linux":  # elsewhere it counts what is only reserved
        resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    allow_seconds(seconds)
    resource.setrlimit(resource.RLIMIT_FSIZE, (written, written))
    resource.setrlimit(resource.RLIMIT_NOFILE, (files, files))
    if sys.platform == "linux":
        _refuse_calls(ctypes.CDLL(None, use_errno=True))


def allow_seconds(seconds: float) -> None:
    """Limit the processor time of this process; may be called again, when it is known how much there is to do."""
    resource.setrlimit(resource.RLIMIT_CPU, (max(1, int(seconds)), resource.getrlimit(resource.RLIMIT_CPU)[1]))


def end_with(parent: int) -> None:
    """End this process when the thread of `parent` that started it ends, if the kernel can (Linux)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # it died before the kernel was told
            os._exit(1)


def _refuse_calls(libc: ctypes.CDLL) -> None:
    """Ask the kernel to refuse these calls from now on. On a kernel that does not know how, the other limits have to
    do.
    """
    if platform.machine() not in REFUSED or sys.maxsize < 2**32:
        return
    audit, numbers = REFUSED[platform.machine()]
    program = [(LOAD, 0, 0, ARCHITECTURE), (JUMP_IF_EQUAL, 1, 0, audit), (RETURN, 0, 0, REFUSE), (LOAD, 0, 0, NUMBER)]
    program += [(JUMP_IF_AT_LEAST, len(numbers) + 1, 0, X32)]
    program += [(JUMP_IF_EQUAL, len(numbers) - index, 0, number) for index, number in enumerate(numbers)]
    program += [(RETURN, 0, 0, ALLOW), (RETURN, 0, 0, REFUSE)]
    code = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *step) for step in program))
    filter_ = struct.pack("HxxxxxxP", len(program), ctypes.addressof(code))
    libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    libc.prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, ctypes.c_char_p(filter_), 0, 0)
