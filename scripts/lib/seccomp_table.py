"""Which system calls each service may make, and why: what `seccomp.py` renders into `security/seccomp/`.

A call stands once, under the reason that brought it here. Those without a value are allowed with any arguments. Names
that only one architecture has are harmless on the other.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Operator = Literal["SCMP_CMP_EQ", "SCMP_CMP_MASKED_EQ"]


@dataclass(frozen=True)
class Argument:
    """A condition on one argument; for `SCMP_CMP_MASKED_EQ`, `value` is the mask and `second` what remains."""

    index: int
    operator: Operator
    value: int
    second: int = 0


@dataclass(frozen=True)
class Group:
    """Calls that are allowed for one reason, where all conditions hold."""

    reason: str
    names: tuple[str, ...]
    arguments: tuple[Argument, ...] = ()

    @classmethod
    def of(cls, reason: str, names: str, *arguments: Argument) -> Group:
        return cls(reason, tuple(names.split()), arguments)


def is_(index: int, value: int) -> Argument:
    """This argument has this value."""
    return Argument(index, "SCMP_CMP_EQ", value)


def masked(index: int, mask: int, value: int) -> Argument:
    """These bits of this argument have this value."""
    return Argument(index, "SCMP_CMP_MASKED_EQ", mask, value)


_AF_UNIX, _AF_INET, _AF_INET6, _AF_NETLINK = 1, 2, 10, 16
_STREAM, _DATAGRAM, _TYPE = 1, 2, 0xF
_NETLINK_ROUTE = 0
# NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET
_NEW_NAMESPACES = 0x7E020000

_PRCTL = {
    "SET_PDEATHSIG": 1,
    "GET_DUMPABLE": 3,
    "SET_DUMPABLE": 4,
    "SET_NAME": 15,
    "GET_NAME": 16,
    "CAPBSET_READ": 23,
    "SET_NO_NEW_PRIVS": 38,
    "GET_NO_NEW_PRIVS": 39,
    "SET_VMA": 0x53564D41,
}
_IOCTL = {
    "TCGETS": 0x5401,
    "TCSETS": 0x5402,
    "TCSETSW": 0x5403,
    "TCSETSF": 0x5404,
    "TIOCGPGRP": 0x540F,
    "TIOCSPGRP": 0x5410,
    "TIOCGWINSZ": 0x5413,
    "FIONREAD": 0x541B,
    "FIONBIO": 0x5421,
    "FIONCLEX": 0x5450,
    "FIOCLEX": 0x5451,
}
# seccomp(2): SECCOMP_SET_MODE_FILTER with TSYNC and SPEC_ALLOW, as ai_semble/programs.py calls it.
_SET_MODE_FILTER, _ALL_THREADS = 1, 5
_INTERFACE = {"SIOCGIFNAME": 0x8910, "SIOCGIFINDEX": 0x8933}


def _each(call: str, index: int, values: dict[str, int], reason: str) -> tuple[Group, ...]:
    """One rule a value: any of them will do."""
    return tuple(
        Group((f"{reason}: {name}"), (call,), (is_(index, value),)) for name, value in values.items()
    )


COMMON = (
    Group.of(
        "starting a program: the runtime after it has set the filter, the loader, the C library",
        "execve arch_prctl set_tid_address set_robust_list rseq close_range getrandom uname sysinfo",
    ),
    Group.of("memory", "brk mmap munmap mprotect mremap madvise"),
    Group.of(
        "threads and processes; bash and `timeout`, which ask whether the service is healthy, are programs, too",
        "vfork wait4 exit exit_group futex sched_yield sched_getaffinity getpid gettid getppid getpgrp getpgid setpgid"
        " setsid kill tgkill prlimit64 getrusage",
    ),
    Group.of("threads and processes, in no namespaces of their own", "clone", masked(0, _NEW_NAMESPACES, 0)),
    Group.of("who it runs as", "getuid geteuid getgid getegid getgroups"),
    Group.of(
        "signals",
        "rt_sigaction rt_sigprocmask rt_sigreturn rt_sigsuspend sigaltstack restart_syscall",
    ),
    Group.of(
        "time; `timeout` sets a timer",
        "clock_gettime clock_getres clock_nanosleep gettimeofday time timer_create timer_settime timer_delete",
    ),
    Group.of(
        "reading files and folders",
        "open openat close read readv pread64 lseek stat lstat fstat newfstatat statx statfs fstatfs access"
        " faccessat faccessat2 getdents64 readlink readlinkat getcwd chdir fchdir fcntl flock dup dup2 dup3"
        " fadvise64 umask",
    ),
    Group.of(
        "writing files and folders: journals, and the scratch folders",
        "write writev pwrite64 ftruncate fallocate fsync fdatasync mkdir mkdirat rmdir unlink unlinkat rename renameat"
        " renameat2 fchmod utimensat sendfile",
    ),
    Group.of(
        "waiting for many things at once",
        "epoll_create1 epoll_ctl epoll_wait epoll_pwait poll ppoll pselect6 eventfd2 pipe pipe2",
    ),
    Group.of(
        "connections: the API of the service, and the one that asks whether it is healthy",
        "bind listen accept4 connect shutdown getsockname getpeername setsockopt getsockopt sendto recvfrom"
        " sendmsg recvmsg",
    ),
    Group.of("connections within the container", "socket socketpair", is_(0, _AF_UNIX)),
    Group.of("TCP", "socket", is_(0, _AF_INET), masked(1, _TYPE, _STREAM)),
    Group.of("TCP", "socket", is_(0, _AF_INET6), masked(1, _TYPE, _STREAM)),
    *_each("prctl", 0, _PRCTL, "names of threads, ends of children, fewer rights"),
    Group.of(
        "what starts no programs gives up that it can",
        "seccomp",
        is_(0, _SET_MODE_FILTER),
        is_(1, _ALL_THREADS),
    ),
    *_each("ioctl", 1, _IOCTL, "blocking, inheritance, and a terminal for who looks inside"),
)

# Those of NVIDIA's driver bear an F, or no letter at all; a terminal's, which could type for others, bear a T.
_GPU = tuple(
    Group.of("the driver of a GPU", "ioctl", masked(1, 0xFF00, letter << 8)) for letter in (ord("F"), 0)
)
_NAMES = (
    Group.of("names of the network", "socket", is_(0, _AF_INET), masked(1, _TYPE, _DATAGRAM)),
    Group.of("names of the network", "socket", is_(0, _AF_INET6), masked(1, _TYPE, _DATAGRAM)),
    Group.of("addresses of this machine", "socket", is_(0, _AF_NETLINK), is_(2, _NETLINK_ROUTE)),
    Group.of("names of the network: both kinds of address at once", "sendmmsg recvmmsg"),
)

_CORES = Group.of("threads of an engine stay on their cores, where there are many", "sched_setaffinity")

SERVICES: dict[str, tuple[Group, ...]] = {
    "orchestrator": (
        *COMMON,
        *_NAMES,
        *_each("ioctl", 1, _INTERFACE, "which interface an address belongs to"),
        Group.of("a file of keys gets its name when it is whole", "link linkat"),
    ),
    "llm": (*COMMON, *_GPU, *_NAMES, _CORES),
    "vision": (*COMMON, *_GPU, _CORES),
    "nlp": (*COMMON, _CORES),
    "data-processor": (
        *COMMON,
        Group.of(
            "a worker gives up all files but its own",
            "landlock_create_ruleset landlock_add_rule landlock_restrict_self",
        ),
        Group.of("a job has the files of its datasets by names of its own", "link linkat"),
    ),
}

# Everything that is not allowed fails with ENOSYS, so that libraries take the older way; these fail with EPERM, since
# they are there and forbidden, which is what somebody who looks for a reason should read.
REFUSED = Group.of(
    "never needed: other processes, the kernel, devices, mounts, namespaces, keys, clocks",
    "acct add_key adjtimex bpf chroot clock_adjtime clock_settime delete_module execveat fanotify_init finit_module"
    " fsconfig fsmount fsopen fspick init_module io_uring_enter io_uring_register io_uring_setup ioperm iopl kcmp"
    " kexec_file_load kexec_load keyctl lookup_dcookie mknod mknodat modify_ldt mount mount_setattr move_mount"
    " name_to_handle_at nfsservctl open_by_handle_at open_tree perf_event_open personality pidfd_getfd pivot_root"
    " process_madvise process_vm_readv process_vm_writev ptrace quotactl quotactl_fd reboot request_key setdomainname"
    " sethostname setns settimeofday swapoff swapon syslog umount2 unshare userfaultfd vhangup vmsplice",
)
