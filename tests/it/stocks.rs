//! What all programs of the user or of the machine have one stock of, or must be able to count on: out of a command's reach.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, chown};

use crate::command::{Run, text};
use crate::harness::{fresh_directory, host_program, not_tested};
use crate::side_doors::without;

/// Who holds a lease makes every other program that opens the file wait; a pipe's pages are counted for the whole user.
#[test]
fn leases_and_larger_pipes_are_refused() {
    let take = "import fcntl, os
open('f', 'w').close()
f = os.open('f', os.O_RDONLY)
for descriptor, command, argument in ((f, 1024, fcntl.F_WRLCK), (f, 1024, fcntl.F_RDLCK), (os.pipe()[1], 1031, 1 << 20), (f, 1040, 0)):
    try: print('had', fcntl.fcntl(descriptor, command, argument))
    except OSError as error: print(error.errno)
print(fcntl.fcntl(f, fcntl.F_GETFL) >= 0)";
    for profile in ["default", "build"] {
        let shown = text(&Run::profile(profile).python(take));
        assert_eq!(shown, "1\n1\n1\n1\nTrue\n", "{profile}");
    }
    let directory = fresh_directory();
    let mut free = host_program("/usr/bin/python3");
    let shown = text(&free.args(["-c", take]).current_dir(&directory).output().unwrap());
    assert!(shown.contains("had"), "{shown}");
    fs::remove_dir_all(&directory).unwrap();
}

/// `fs.aio-max-nr` bounds what all programs of the machine have set apart together.
#[test]
fn requests_of_asynchronous_input_and_output_are_left_to_others() {
    let take = "import ctypes, os
libc = ctypes.CDLL(None, use_errno=True)
context = ctypes.c_ulong(0)
setup = {'x86_64': 206}.get(os.uname().machine, 0)
print('had' if libc.syscall(setup, 128, ctypes.byref(context)) == 0 else ctypes.get_errno())";
    for profile in ["default", "build"] {
        let shown = text(&Run::profile(profile).python(take));
        assert_eq!(shown, "38\n", "{profile}");
    }
}
