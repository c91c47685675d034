// What of Linux the Swift module Glibc leaves out: eventfd, epoll, pidfd, memfd, openat2,
// malloc_trim, and the little that has to be between fork and exec. No logic lives here but that.
#pragma once

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <malloc.h>
#include <signal.h>
#include <spawn.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

static inline int amity_pidfd_open(pid_t process) {
  return (int)syscall(SYS_pidfd_open, process, 0);
}

// Both ends and the file below are closed on exec.
static inline int amity_pipe(int ends[2]) { return (int)syscall(SYS_pipe2, ends, O_CLOEXEC); }

static inline int amity_memory_file(const char *name) {
  return (int)syscall(SYS_memfd_create, name, 1u);
}

// For reading, below a folder and through no link. Does not wait for a writer of a pipe.
static inline int amity_open_beneath(int folder, const char *path) {
  const struct open_how how = {.flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY,
                               .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS};
  return (int)syscall(SYS_openat2, folder, path, &how, sizeof how);
}

extern int posix_spawn_file_actions_addclosefrom_np(posix_spawn_file_actions_t *, int);

static inline int amity_close_from(posix_spawn_file_actions_t *actions, int first) {
  return posix_spawn_file_actions_addclosefrom_np(actions, first);
}

// Processes whose parents end become this process's children, not the first process's.
static inline int amity_adopt_orphans(void) { return prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); }

// Memory that was freed and is kept for later goes back to the kernel.
static inline int amity_give_back_memory(void) { return malloc_trim(0); }

static inline int amity_write_no_core(void) { return prctl(PR_SET_DUMPABLE, 0, 0, 0, 0); }

// Starts a program in a process group of its own, with signals as they are by default. The kernel
// kills it when this thread ends, which posix_spawn cannot ask for.
static inline pid_t amity_start_bound(char *const arguments[], char *const environment[]) {
  const pid_t parent = getpid();
  const pid_t child = fork();
  if (child != 0) {
    if (child > 0) setpgid(child, child);
    return child;
  }
  setpgid(0, 0);
  prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
  // It may have ended before the line above.
  if (getppid() != parent) _exit(126);
  for (int number = 1; number < NSIG; number++) signal(number, SIG_DFL);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, NULL);
  execve(arguments[0], arguments, environment);
  // As shells have it.
  _exit(errno == ENOENT ? 127 : 126);
}
