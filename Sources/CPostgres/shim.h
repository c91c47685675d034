// libpq. Everything Amity needs of it is callable from Swift; the only macro is the field code.
#pragma once

#include <libpq-fe.h>

enum { AMITY_DIAG_SQLSTATE = PG_DIAG_SQLSTATE, AMITY_DIAG_MESSAGE_PRIMARY = PG_DIAG_MESSAGE_PRIMARY };
