// Crosses a limit, or stays just under it, and says how far it came: probe memory|forks|spin|hold AMOUNT.
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

// Memory of several processes, as only a limit on all of them together sees it.
static int memory(int mebibytes) {
    int ends[2];
    if (pipe(ends)) return 2;
    for (int part = 0; part < 4; part++) {
        if (fork()) continue;
        volatile char *all = malloc((size_t)mebibytes / 4 << 20);
        if (!all) _exit(1);
        for (size_t at = 0; at < (size_t)mebibytes / 4 << 20; at += 4096) all[at] = 1;
        if (write(ends[1], "x", 1) != 1) _exit(1);
        for (;;) pause();
    }
    close(ends[1]);
    char had[4];
    int count = 0;
    struct pollfd more = {ends[0], POLLIN, 0};
    // Those that are left keep the pipe open when one is ended.
    while (count < 4 && waitpid(-1, 0, WNOHANG) == 0)
        if (poll(&more, 1, 100) == 1 && read(ends[0], had, 1) == 1) count++;
    if (count == 4 && waitpid(-1, 0, WNOHANG) != 0) count--; // one that had its part was ended for another's
    printf("%d of 4 parts\n", count);
    return count == 4 ? 0 : 1;
}

static int forks(int count) {
    for (int made = 0; made < count; made++) {
        int pid = fork();
        if (pid < 0) {
            printf("no more after %d: %s\n", made, strerror(errno));
            return 1;
        }
        if (!pid) for (;;) pause();
    }
    printf("all of %d\n", count);
    return 0;
}

// Keeps four processes busy.
static int spin(int seconds) {
    time_t end = time(0) + seconds;
    for (int other = 0; other < 3; other++)
        if (!fork()) while (time(0) <= end) {}
    while (time(0) <= end) {}
    return 0;
}

int main(int count, char **word) {
    if (count < 3) return 2;
    int amount = atoi(word[2]);
    if (!strcmp(word[1], "memory")) return memory(amount);
    if (!strcmp(word[1], "forks")) return forks(amount);
    if (!strcmp(word[1], "spin")) return spin(amount);
    return 2;
}
