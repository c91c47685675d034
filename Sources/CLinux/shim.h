// What of Linux the Swift module Glibc leaves out: eventfd and epoll.
#pragma once

#include <sys/epoll.h>
#include <sys/eventfd.h>
