// libFuzzer's way in for programs with a main function of their own.
#pragma once

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerRunDriver(int *argc, char ***argv,
                        int (*run_one)(const uint8_t *bytes, size_t count));
