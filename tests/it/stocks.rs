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

#[test]
fn attributes_of_files_outside_stay_where_no_view_hides_them() {
    let outside = Run::profile("default").below("/var/tmp");
    outside.write("file", "mine");
    let file = outside.workspace.join("file");
    fs::set_permissions(&outside.workspace, fs::Permissions::from_mode(0o755)).unwrap();
    // FS_IOC_GETFLAGS, and FS_IOC_SETFLAGS with FS_NOATIME_FL turned round.
    let change = format!(
        "import fcntl, struct
f = open({file:?})
flags, = struct.unpack('l', fcntl.ioctl(f, 0x80086601, bytes(8)))
try: fcntl.ioctl(f, 0x40086602, struct.pack('l', flags ^ 0x80)); print('had')
except OSError as error: print(error.errno)"
    );
    let free = host_program("/usr/bin/python3").args(["-c", &change]).output().unwrap();
    if !text(&free).contains("had") {
        return not_tested("the file system has no attributes to change");
    }
    let settings = format!("filesystem: {{read: {{add: [{{path: {file:?}, reason: of a test}}]}}}}");
    let run = without(Run::settings(&settings), &["mount"]);
    if rustix::process::geteuid().is_root() {
        chown(&file, Some(54_321), Some(54_321)).unwrap();
    }
    let output = run.python(&change);
    assert_eq!(text(&output), "1\n");
}
