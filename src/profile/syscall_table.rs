//! Every system call of Linux by name, with its number on the two architectures that are supported.
//!
//! Which of them work is not said here but in `sandbox-profiles/syscalls/`. The numbers are those of the kernel's
//! own tables (`syscall_64.tbl` for x86_64, `scripts/syscall.tbl` for aarch64) and never change once given.

/// One system call: its name, its number on x86_64 and its number on aarch64.
pub type TableEntry = (&'static str, Option<u32>, Option<u32>);

/// The table's own spelling of a name, if it is one.
pub fn known(name: &str) -> Option<&'static str> {
    SYSCALLS
        .binary_search_by(|entry| entry.0.cmp(name))
        .ok()
        .and_then(|at| SYSCALLS.get(at))
        .map(|entry| entry.0)
}

/// All of them, sorted by name.
#[rustfmt::skip] // one row to a line would be four hundred lines
pub static SYSCALLS: &[TableEntry] = &[
    ("_sysctl", Some(156), None), ("accept", Some(43), Some(202)), ("accept4", Some(288), Some(242)),
    ("access", Some(21), None), ("acct", Some(163), Some(89)), ("add_key", Some(248), Some(217)),
    ("adjtimex", Some(159), Some(171)), ("afs_syscall", Some(183), None), ("alarm", Some(37), None),
    ("arch_prctl", Some(158), None), ("bind", Some(49), Some(200)), ("bpf", Some(321), Some(280)),
    ("brk", Some(12), Some(214)), ("cachestat", Some(451), Some(451)), ("capget", Some(125), Some(90)),
    ("capset", Some(126), Some(91)), ("chdir", Some(80), Some(49)), ("chmod", Some(90), None),
    ("chown", Some(92), None), ("chroot", Some(161), Some(51)), ("clock_adjtime", Some(305), Some(266)),
    ("clock_getres", Some(229), Some(114)), ("clock_gettime", Some(228), Some(113)),
    ("clock_nanosleep", Some(230), Some(115)), ("clock_settime", Some(227), Some(112)),
    ("clone", Some(56), Some(220)), ("clone3", Some(435), Some(435)), ("close", Some(3), Some(57)),
    ("close_range", Some(436), Some(436)), ("connect", Some(42), Some(203)),
    ("copy_file_range", Some(326), Some(285)), ("creat", Some(85), None), ("create_module", Some(174), None),
    ("delete_module", Some(176), Some(106)), ("dup", Some(32), Some(23)), ("dup2", Some(33), None),
    ("dup3", Some(292), Some(24)), ("epoll_create", Some(213), None), ("epoll_create1", Some(291), Some(20)),
    ("epoll_ctl", Some(233), Some(21)), ("epoll_ctl_old", Some(214), None), ("epoll_pwait", Some(281), Some(22)),
    ("epoll_pwait2", Some(441), Some(441)), ("epoll_wait", Some(232), None), ("epoll_wait_old", Some(215), None),
    ("eventfd", Some(284), None), ("eventfd2", Some(290), Some(19)), ("execve", Some(59), Some(221)),
    ("execveat", Some(322), Some(281)), ("exit", Some(60), Some(93)), ("exit_group", Some(231), Some(94)),
    ("faccessat", Some(269), Some(48)), ("faccessat2", Some(439), Some(439)), ("fadvise64", Some(221), Some(223)),
    ("fallocate", Some(285), Some(47)), ("fanotify_init", Some(300), Some(262)),
    ("fanotify_mark", Some(301), Some(263)), ("fchdir", Some(81), Some(50)), ("fchmod", Some(91), Some(52)),
    ("fchmodat", Some(268), Some(53)), ("fchmodat2", Some(452), Some(452)), ("fchown", Some(93), Some(55)),
    ("fchownat", Some(260), Some(54)), ("fcntl", Some(72), Some(25)), ("fdatasync", Some(75), Some(83)),
    ("fgetxattr", Some(193), Some(10)), ("file_getattr", Some(468), Some(468)),
    ("file_setattr", Some(469), Some(469)), ("finit_module", Some(313), Some(273)),
    ("flistxattr", Some(196), Some(13)), ("flock", Some(73), Some(32)), ("fork", Some(57), None),
    ("fremovexattr", Some(199), Some(16)), ("fsconfig", Some(431), Some(431)), ("fsetxattr", Some(190), Some(7)),
    ("fsmount", Some(432), Some(432)), ("fsopen", Some(430), Some(430)), ("fspick", Some(433), Some(433)),
    ("fstat", Some(5), Some(80)), ("fstatfs", Some(138), Some(44)), ("fsync", Some(74), Some(82)),
    ("ftruncate", Some(77), Some(46)), ("futex", Some(202), Some(98)), ("futex_requeue", Some(456), Some(456)),
    ("futex_wait", Some(455), Some(455)), ("futex_waitv", Some(449), Some(449)), ("futex_wake", Some(454), Some(454)),
    ("futimesat", Some(261), None), ("get_kernel_syms", Some(177), None), ("get_mempolicy", Some(239), Some(236)),
    ("get_robust_list", Some(274), Some(100)), ("get_thread_area", Some(211), None), ("getcpu", Some(309), Some(168)),
    ("getcwd", Some(79), Some(17)), ("getdents", Some(78), None), ("getdents64", Some(217), Some(61)),
    ("getegid", Some(108), Some(177)), ("geteuid", Some(107), Some(175)), ("getgid", Some(104), Some(176)),
    ("getgroups", Some(115), Some(158)), ("getitimer", Some(36), Some(102)), ("getpeername", Some(52), Some(205)),
    ("getpgid", Some(121), Some(155)), ("getpgrp", Some(111), None), ("getpid", Some(39), Some(172)),
    ("getpmsg", Some(181), None), ("getppid", Some(110), Some(173)), ("getpriority", Some(140), Some(141)),
    ("getrandom", Some(318), Some(278)), ("getresgid", Some(120), Some(150)), ("getresuid", Some(118), Some(148)),
    ("getrlimit", Some(97), Some(163)), ("getrusage", Some(98), Some(165)), ("getsid", Some(124), Some(156)),
    ("getsockname", Some(51), Some(204)), ("getsockopt", Some(55), Some(209)), ("gettid", Some(186), Some(178)),
    ("gettimeofday", Some(96), Some(169)), ("getuid", Some(102), Some(174)), ("getxattr", Some(191), Some(8)),
    ("getxattrat", Some(464), Some(464)), ("init_module", Some(175), Some(105)),
    ("inotify_add_watch", Some(254), Some(27)), ("inotify_init", Some(253), None),
    ("inotify_init1", Some(294), Some(26)), ("inotify_rm_watch", Some(255), Some(28)),
    ("io_cancel", Some(210), Some(3)), ("io_destroy", Some(207), Some(1)), ("io_getevents", Some(208), Some(4)),
    ("io_pgetevents", Some(333), Some(292)), ("io_setup", Some(206), Some(0)), ("io_submit", Some(209), Some(2)),
    ("io_uring_enter", Some(426), Some(426)), ("io_uring_register", Some(427), Some(427)),
    ("io_uring_setup", Some(425), Some(425)), ("ioctl", Some(16), Some(29)), ("ioperm", Some(173), None),
    ("iopl", Some(172), None), ("ioprio_get", Some(252), Some(31)), ("ioprio_set", Some(251), Some(30)),
    ("kcmp", Some(312), Some(272)), ("kexec_file_load", Some(320), Some(294)), ("kexec_load", Some(246), Some(104)),
    ("keyctl", Some(250), Some(219)), ("kill", Some(62), Some(129)), ("landlock_add_rule", Some(445), Some(445)),
    ("landlock_create_ruleset", Some(444), Some(444)), ("landlock_restrict_self", Some(446), Some(446)),
    ("lchown", Some(94), None), ("lgetxattr", Some(192), Some(9)), ("link", Some(86), None),
    ("linkat", Some(265), Some(37)), ("listen", Some(50), Some(201)), ("listmount", Some(458), Some(458)),
    ("listxattr", Some(194), Some(11)), ("listxattrat", Some(465), Some(465)), ("llistxattr", Some(195), Some(12)),
    ("lookup_dcookie", Some(212), Some(18)), ("lremovexattr", Some(198), Some(15)), ("lseek", Some(8), Some(62)),
    ("lsetxattr", Some(189), Some(6)), ("lsm_get_self_attr", Some(459), Some(459)),
    ("lsm_list_modules", Some(461), Some(461)), ("lsm_set_self_attr", Some(460), Some(460)), ("lstat", Some(6), None),
    ("madvise", Some(28), Some(233)), ("map_shadow_stack", Some(453), Some(453)), ("mbind", Some(237), Some(235)),
    ("membarrier", Some(324), Some(283)), ("memfd_create", Some(319), Some(279)),
    ("memfd_secret", Some(447), Some(447)), ("migrate_pages", Some(256), Some(238)), ("mincore", Some(27), Some(232)),
    ("mkdir", Some(83), None), ("mkdirat", Some(258), Some(34)), ("mknod", Some(133), None),
    ("mknodat", Some(259), Some(33)), ("mlock", Some(149), Some(228)), ("mlock2", Some(325), Some(284)),
    ("mlockall", Some(151), Some(230)), ("mmap", Some(9), Some(222)), ("modify_ldt", Some(154), None),
    ("mount", Some(165), Some(40)), ("mount_setattr", Some(442), Some(442)), ("move_mount", Some(429), Some(429)),
    ("move_pages", Some(279), Some(239)), ("mprotect", Some(10), Some(226)), ("mq_getsetattr", Some(245), Some(185)),
    ("mq_notify", Some(244), Some(184)), ("mq_open", Some(240), Some(180)), ("mq_timedreceive", Some(243), Some(183)),
    ("mq_timedsend", Some(242), Some(182)), ("mq_unlink", Some(241), Some(181)), ("mremap", Some(25), Some(216)),
    ("mseal", Some(462), Some(462)), ("msgctl", Some(71), Some(187)), ("msgget", Some(68), Some(186)),
    ("msgrcv", Some(70), Some(188)), ("msgsnd", Some(69), Some(189)), ("msync", Some(26), Some(227)),
    ("munlock", Some(150), Some(229)), ("munlockall", Some(152), Some(231)), ("munmap", Some(11), Some(215)),
    ("name_to_handle_at", Some(303), Some(264)), ("nanosleep", Some(35), Some(101)),
    ("newfstatat", Some(262), Some(79)), ("nfsservctl", Some(180), Some(42)), ("open", Some(2), None),
    ("open_by_handle_at", Some(304), Some(265)), ("open_tree", Some(428), Some(428)),
    ("open_tree_attr", Some(467), Some(467)), ("openat", Some(257), Some(56)), ("openat2", Some(437), Some(437)),
    ("pause", Some(34), None), ("perf_event_open", Some(298), Some(241)), ("personality", Some(135), Some(92)),
    ("pidfd_getfd", Some(438), Some(438)), ("pidfd_open", Some(434), Some(434)),
    ("pidfd_send_signal", Some(424), Some(424)), ("pipe", Some(22), None), ("pipe2", Some(293), Some(59)),
    ("pivot_root", Some(155), Some(41)), ("pkey_alloc", Some(330), Some(289)), ("pkey_free", Some(331), Some(290)),
    ("pkey_mprotect", Some(329), Some(288)), ("poll", Some(7), None), ("ppoll", Some(271), Some(73)),
    ("prctl", Some(157), Some(167)), ("pread64", Some(17), Some(67)), ("preadv", Some(295), Some(69)),
    ("preadv2", Some(327), Some(286)), ("prlimit64", Some(302), Some(261)), ("process_madvise", Some(440), Some(440)),
    ("process_mrelease", Some(448), Some(448)), ("process_vm_readv", Some(310), Some(270)),
    ("process_vm_writev", Some(311), Some(271)), ("pselect6", Some(270), Some(72)), ("ptrace", Some(101), Some(117)),
    ("putpmsg", Some(182), None), ("pwrite64", Some(18), Some(68)), ("pwritev", Some(296), Some(70)),
    ("pwritev2", Some(328), Some(287)), ("query_module", Some(178), None), ("quotactl", Some(179), Some(60)),
    ("quotactl_fd", Some(443), Some(443)), ("read", Some(0), Some(63)), ("readahead", Some(187), Some(213)),
    ("readlink", Some(89), None), ("readlinkat", Some(267), Some(78)), ("readv", Some(19), Some(65)),
    ("reboot", Some(169), Some(142)), ("recvfrom", Some(45), Some(207)), ("recvmmsg", Some(299), Some(243)),
    ("recvmsg", Some(47), Some(212)), ("remap_file_pages", Some(216), Some(234)),
    ("removexattr", Some(197), Some(14)), ("removexattrat", Some(466), Some(466)), ("rename", Some(82), None),
    ("renameat", Some(264), Some(38)), ("renameat2", Some(316), Some(276)), ("request_key", Some(249), Some(218)),
    ("restart_syscall", Some(219), Some(128)), ("rmdir", Some(84), None), ("rseq", Some(334), Some(293)),
    ("rt_sigaction", Some(13), Some(134)), ("rt_sigpending", Some(127), Some(136)),
    ("rt_sigprocmask", Some(14), Some(135)), ("rt_sigqueueinfo", Some(129), Some(138)),
    ("rt_sigreturn", Some(15), Some(139)), ("rt_sigsuspend", Some(130), Some(133)),
    ("rt_sigtimedwait", Some(128), Some(137)), ("rt_tgsigqueueinfo", Some(297), Some(240)),
    ("sched_get_priority_max", Some(146), Some(125)), ("sched_get_priority_min", Some(147), Some(126)),
    ("sched_getaffinity", Some(204), Some(123)), ("sched_getattr", Some(315), Some(275)),
    ("sched_getparam", Some(143), Some(121)), ("sched_getscheduler", Some(145), Some(120)),
    ("sched_rr_get_interval", Some(148), Some(127)), ("sched_setaffinity", Some(203), Some(122)),
    ("sched_setattr", Some(314), Some(274)), ("sched_setparam", Some(142), Some(118)),
    ("sched_setscheduler", Some(144), Some(119)), ("sched_yield", Some(24), Some(124)),
    ("seccomp", Some(317), Some(277)), ("security", Some(185), None), ("select", Some(23), None),
    ("semctl", Some(66), Some(191)), ("semget", Some(64), Some(190)), ("semop", Some(65), Some(193)),
    ("semtimedop", Some(220), Some(192)), ("sendfile", Some(40), Some(71)), ("sendmmsg", Some(307), Some(269)),
    ("sendmsg", Some(46), Some(211)), ("sendto", Some(44), Some(206)), ("set_mempolicy", Some(238), Some(237)),
    ("set_mempolicy_home_node", Some(450), Some(450)), ("set_robust_list", Some(273), Some(99)),
    ("set_thread_area", Some(205), None), ("set_tid_address", Some(218), Some(96)),
    ("setdomainname", Some(171), Some(162)), ("setfsgid", Some(123), Some(152)), ("setfsuid", Some(122), Some(151)),
    ("setgid", Some(106), Some(144)), ("setgroups", Some(116), Some(159)), ("sethostname", Some(170), Some(161)),
    ("setitimer", Some(38), Some(103)), ("setns", Some(308), Some(268)), ("setpgid", Some(109), Some(154)),
    ("setpriority", Some(141), Some(140)), ("setregid", Some(114), Some(143)), ("setresgid", Some(119), Some(149)),
    ("setresuid", Some(117), Some(147)), ("setreuid", Some(113), Some(145)), ("setrlimit", Some(160), Some(164)),
    ("setsid", Some(112), Some(157)), ("setsockopt", Some(54), Some(208)), ("settimeofday", Some(164), Some(170)),
    ("setuid", Some(105), Some(146)), ("setxattr", Some(188), Some(5)), ("setxattrat", Some(463), Some(463)),
    ("shmat", Some(30), Some(196)), ("shmctl", Some(31), Some(195)), ("shmdt", Some(67), Some(197)),
    ("shmget", Some(29), Some(194)), ("shutdown", Some(48), Some(210)), ("sigaltstack", Some(131), Some(132)),
    ("signalfd", Some(282), None), ("signalfd4", Some(289), Some(74)), ("socket", Some(41), Some(198)),
    ("socketpair", Some(53), Some(199)), ("splice", Some(275), Some(76)), ("stat", Some(4), None),
    ("statfs", Some(137), Some(43)), ("statmount", Some(457), Some(457)), ("statx", Some(332), Some(291)),
    ("swapoff", Some(168), Some(225)), ("swapon", Some(167), Some(224)), ("symlink", Some(88), None),
    ("symlinkat", Some(266), Some(36)), ("sync", Some(162), Some(81)), ("sync_file_range", Some(277), Some(84)),
    ("syncfs", Some(306), Some(267)), ("sysfs", Some(139), None), ("sysinfo", Some(99), Some(179)),
    ("syslog", Some(103), Some(116)), ("tee", Some(276), Some(77)), ("tgkill", Some(234), Some(131)),
    ("time", Some(201), None), ("timer_create", Some(222), Some(107)), ("timer_delete", Some(226), Some(111)),
    ("timer_getoverrun", Some(225), Some(109)), ("timer_gettime", Some(224), Some(108)),
    ("timer_settime", Some(223), Some(110)), ("timerfd_create", Some(283), Some(85)),
    ("timerfd_gettime", Some(287), Some(87)), ("timerfd_settime", Some(286), Some(86)),
    ("times", Some(100), Some(153)), ("tkill", Some(200), Some(130)), ("truncate", Some(76), Some(45)),
    ("tuxcall", Some(184), None), ("umask", Some(95), Some(166)), ("umount2", Some(166), Some(39)),
    ("uname", Some(63), Some(160)), ("unlink", Some(87), None), ("unlinkat", Some(263), Some(35)),
    ("unshare", Some(272), Some(97)), ("uprobe", Some(336), None), ("uretprobe", Some(335), None),
    ("uselib", Some(134), None), ("userfaultfd", Some(323), Some(282)), ("ustat", Some(136), None),
    ("utime", Some(132), None), ("utimensat", Some(280), Some(88)), ("utimes", Some(235), None),
    ("vfork", Some(58), None), ("vhangup", Some(153), Some(58)), ("vmsplice", Some(278), Some(75)),
    ("vserver", Some(236), None), ("wait4", Some(61), Some(260)), ("waitid", Some(247), Some(95)),
    ("write", Some(1), Some(64)), ("writev", Some(20), Some(66)),
];

#[cfg(test)]
mod tests {
    use super::*;

    /// The newest number of the table.
    const NEWEST: u32 = 469;

    fn number(name: &str) -> Option<u32> {
        let entry = SYSCALLS.iter().find(|entry| entry.0 == name).unwrap();
        if cfg!(target_arch = "x86_64") { entry.1 } else { entry.2 }
    }

    #[test]
    fn names_are_sorted_and_stand_once() {
        assert!(SYSCALLS.windows(2).all(|pair| pair[0].0 < pair[1].0));
        assert_eq!(known("openat"), Some("openat"));
        assert_eq!(known("openat_"), None);
    }

    #[test]
    fn every_number_up_to_the_newest_is_named_on_both_architectures() {
        let named = |number, column: fn(&TableEntry) -> Option<u32>| {
            SYSCALLS.iter().filter(|entry| column(entry) == Some(number)).count()
        };
        for number in 0..=NEWEST {
            // 337-423 were never given on x86_64; neither were 244-259 and 295-423 on aarch64.
            let x86 = usize::from(number <= 336 || number >= 424);
            assert_eq!(named(number, |entry| entry.1), x86, "x86_64 {number}");
            let arm = usize::from(number <= 243 || (260..=294).contains(&number) || number >= 424);
            assert_eq!(named(number, |entry| entry.2), arm, "aarch64 {number}");
        }
    }

    #[test]
    fn numbers_are_those_of_the_c_library() {
        let expected = [
            ("read", libc::SYS_read),
            ("openat", libc::SYS_openat),
            ("newfstatat", libc::SYS_newfstatat),
            ("fstat", libc::SYS_fstat),
            ("fcntl", libc::SYS_fcntl),
            ("lseek", libc::SYS_lseek),
            ("mmap", libc::SYS_mmap),
            ("fadvise64", libc::SYS_fadvise64),
            ("statfs", libc::SYS_statfs),
            ("fstatfs", libc::SYS_fstatfs),
            ("truncate", libc::SYS_truncate),
            ("ftruncate", libc::SYS_ftruncate),
            ("sendfile", libc::SYS_sendfile),
            ("ioctl", libc::SYS_ioctl),
            ("clone", libc::SYS_clone),
            ("clone3", libc::SYS_clone3),
            ("execve", libc::SYS_execve),
            ("execveat", libc::SYS_execveat),
            ("ptrace", libc::SYS_ptrace),
            ("process_vm_readv", libc::SYS_process_vm_readv),
            ("mount", libc::SYS_mount),
            ("umount2", libc::SYS_umount2),
            ("pivot_root", libc::SYS_pivot_root),
            ("setns", libc::SYS_setns),
            ("unshare", libc::SYS_unshare),
            ("bpf", libc::SYS_bpf),
            ("keyctl", libc::SYS_keyctl),
            ("personality", libc::SYS_personality),
            ("socket", libc::SYS_socket),
            ("connect", libc::SYS_connect),
            ("sendmmsg", libc::SYS_sendmmsg),
            ("seccomp", libc::SYS_seccomp),
            ("memfd_create", libc::SYS_memfd_create),
            ("userfaultfd", libc::SYS_userfaultfd),
            ("perf_event_open", libc::SYS_perf_event_open),
            ("fallocate", libc::SYS_fallocate),
            ("prlimit64", libc::SYS_prlimit64),
            ("renameat", libc::SYS_renameat),
            ("renameat2", libc::SYS_renameat2),
            ("rseq", libc::SYS_rseq),
            ("statx", libc::SYS_statx),
            ("io_uring_setup", libc::SYS_io_uring_setup),
            ("openat2", libc::SYS_openat2),
            ("faccessat2", libc::SYS_faccessat2),
            ("mount_setattr", libc::SYS_mount_setattr),
            ("quotactl_fd", libc::SYS_quotactl_fd),
            ("landlock_create_ruleset", libc::SYS_landlock_create_ruleset),
            ("futex_waitv", libc::SYS_futex_waitv),
            ("set_mempolicy_home_node", libc::SYS_set_mempolicy_home_node),
            ("fchmodat2", libc::SYS_fchmodat2),
            ("mseal", libc::SYS_mseal),
        ];
        for (name, value) in expected {
            assert_eq!(number(name).map(i64::from), Some(value), "{name}");
        }
    }
}
