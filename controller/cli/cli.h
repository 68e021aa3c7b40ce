// `farboot <noun> <verb>`.
//
// Exit codes, for scripts:
//   0 done   1 failed   2 used wrongly   3 not found or refused   4 controller not reached
#pragma once

#include "controller/cli/terminal.h"

namespace farboot {

enum class Exit {
  done = 0,
  failed = 1,
  usage = 2,
  refused = 3,
  unreachable = 4
};

/// The whole program but for where its words go. Returns the exit code.
int run_cli(int argc, const char* const* argv, Terminal& terminal);

}  // namespace farboot
