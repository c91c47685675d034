// HostResources: what this process uses of its host, what it may use, and what it does when that is
// nearly used up. It reads the kernel's files (/proc and /sys/fs/cgroup) and asks for the space on
// disks; it touches nothing else.
