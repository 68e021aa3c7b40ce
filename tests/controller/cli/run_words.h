// `farboot` as a shell calls it, in this process.
#pragma once

#include <filesystem>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "controller/cli/cli.h"

namespace farboot::test {

/// The exit status, and what both streams said.
inline std::pair<int, std::string> run_words(const std::filesystem::path& context,
                                             std::vector<std::string> words) {
  words.insert(words.begin(), {"farboot", "--context", context.string()});
  std::vector<const char*> argv;
  for (const std::string& word : words) argv.push_back(word.c_str());
  std::ostringstream out;
  Terminal terminal{out, out};
  const int exit = run_cli(static_cast<int>(argv.size()), argv.data(), terminal);
  return {exit, out.str()};
}

}  // namespace farboot::test
