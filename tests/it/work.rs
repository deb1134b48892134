//! Real work with the tools that a plain machine has: git, a C compiler, make, Python.

use crate::command::{Run, text};
use crate::harness::is_there;

fn works(profile: &str, line: &str) -> String {
    let run = Run::profile(profile);
    let output = run.bash(&format!("set -e; {line}"));
    assert!(output.status.success(), "{profile}: {}", text(&output));
    text(&output)
}

const PROFILES: [&str; 2] = ["default", "build"];

#[test]
fn git_clones_commits_rebases_pushes_and_collects() {
    if !is_there("git") {
        return;
    }
    let line = "export GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a@b GIT_COMMITTER_NAME=a GIT_COMMITTER_EMAIL=a@b
        git init -q --bare origin.git; git clone -q file://$PWD/origin.git work 2>&1; cd work
        for n in 1 2 3; do echo $n > file$n; git add .; git commit -qm commit$n; done
        git push -q origin HEAD
        GIT_SEQUENCE_EDITOR='sed -i 2s/pick/squash/' GIT_EDITOR=true git rebase -q -i HEAD~2
        git push -q -f origin HEAD; git gc -q; git worktree add -q ../other; git -C ../other status -sb
        echo commits: $(git -C ../origin.git log --oneline --all | wc -l)";
    for profile in PROFILES {
        let said = works(profile, line);
        assert!(said.contains("## other") && said.contains("commits: 2"), "{said}");
    }
}

#[test]
fn c_is_compiled_in_parallel_linked_and_run() {
    if !(is_there("gcc") && is_there("make")) {
        return;
    }
    let line = r#"for n in 1 2 3 4 5 6; do echo "int f$n(void) { return $n; }" > m$n.c; done
        printf '#include <stdio.h>\nint f6(void);\nint main(void) { printf("six: %%d\\n", f6()); }\n' > main.c
        printf 'all: $(patsubst %%.c,%%.o,$(wildcard *.c))\n\t$(CC) -o a.out $^\n' > Makefile
        make -s -j4; ./a.out; ar cr lib.a m*.o; strip a.out; tar cf a.tar a.out; rm a.out; tar xf a.tar; ./a.out"#;
    for profile in PROFILES {
        let said = works(profile, line);
        assert_eq!(said.matches("six: 6").count(), 2, "{said}");
    }
}

#[test]
fn python_serves_itself_and_uses_its_processes() {
    if !is_there("python3") {
        return;
    }
    let line = r#"cat > test_it.py <<'END'
import http.server, multiprocessing, sqlite3, threading, unittest, urllib.request
def square(n): return n * n
class It(unittest.TestCase):
    def test_loopback(self):
        server = http.server.HTTPServer(("127.0.0.1", 0), http.server.SimpleHTTPRequestHandler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.assertEqual(urllib.request.urlopen(f"http://127.0.0.1:{server.server_port}/").status, 200)
        server.shutdown(); server.server_close()
    def test_pool(self):
        with multiprocessing.Pool(2) as pool: self.assertEqual(pool.map(square, [2, 3]), [4, 9])
    def test_database(self):
        d = sqlite3.connect("x.db"); d.execute("pragma journal_mode=wal"); d.execute("create table t(a)"); d.commit()
END
        /usr/bin/python3 -m unittest -q test_it 2>&1"#;
    for profile in PROFILES {
        let said = works(profile, line);
        assert!(said.contains("Ran 3 tests") && said.contains("OK"), "{said}");
    }
}

#[test]
fn a_debugger_follows_a_child_of_its_own_in_build_only() {
    if !(is_there("gdb") && is_there("gcc")) {
        return;
    }
    let line = "printf 'int main(void) { volatile int x = 42; return x; }\n' > g.c; gcc -g g.c -o g
        gdb -q -batch -ex 'break main' -ex run -ex next -ex 'print x' ./g 2>&1 || true";
    assert!(works("build", line).contains("= 42"));
    assert!(works("default", line).contains("Operation not permitted"));
}

#[test]
fn a_terminal_multiplexer_splits_and_ends() {
    if !is_there("tmux") {
        return;
    }
    let line = "export TERM=xterm; tmux -f /dev/null new -d -s s 'sleep 60'; tmux split-window -t s
        echo panes: $(tmux list-panes -t s | wc -l); tmux kill-session -t s";
    for profile in PROFILES {
        assert!(works(profile, line).contains("panes: 2"));
    }
}

#[test]
fn an_editor_writes_and_runs_a_shell() {
    if !is_there("vim") {
        return;
    }
    let line =
        "export TERM=xterm; vim -u NONE -N -es -c 'normal ihello' -c 'w! out' -c '!ls > listed' -c q; cat out listed";
    for profile in PROFILES {
        let said = works(profile, line);
        assert!(said.contains("hello") && said.contains("listed"), "{said}");
    }
}

#[test]
fn keys_are_made_and_the_way_out_is_refused_with_the_reason() {
    if !(is_there("ssh-keygen") && is_there("ssh")) {
        return;
    }
    let line = "ssh-keygen -q -t ed25519 -N '' -f key; ssh-keygen -lf key; ls key key.pub";
    assert!(works("default", line).contains("ED25519"));
    let run = Run::profile("default");
    let output = run.bash("ssh -o BatchMode=yes localhost true");
    let said = text(&output);
    assert!(
        output.status.code() == Some(255) && said.contains("Connection refused"),
        "{said}"
    );
}
