// Looks into, and tampers with, the state of a daemon that does not run: for tests only.
//
//   farboot_state_edit FOLDER list PREFIX      keys, one a line
//   farboot_state_edit FOLDER get KEY          value in hex
//   farboot_state_edit FOLDER put KEY HEX      overwrites it
//   farboot_state_edit FOLDER chunks           digests of the chunks held, one a line
//
// Who only looks, looks at a copy: to open a database is to mend its log, which is the daemon's to
// do when it comes back after a kill.

#include <charconv>
#include <cstdio>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "common/base/bytes.h"
#include "common/store/database.h"
#include "common/store/rocks_state.h"
#include "tests/support/temp_folder.h"

namespace farboot {
namespace {

int complain(std::string_view what) {
  std::fprintf(stderr, "farboot_state_edit: %.*s\n", static_cast<int>(what.size()), what.data());
  return 1;
}

void print(std::string_view text) {
  std::printf("%.*s\n", static_cast<int>(text.size()), text.data());
}

/// Empty if `hex` is none.
std::string from_hex(std::string_view hex) {
  std::string bytes;
  for (std::size_t at = 0; at + 1 < hex.size(); at += 2) {
    unsigned value = 0;
    const auto [end, error] = std::from_chars(&hex[at], &hex[at] + 2, value, 16);
    if (error != std::errc{} || end != &hex[at] + 2) return {};
    bytes.push_back(static_cast<char>(value));
  }
  return bytes;
}

int print_chunks(const Database& database) {
  const auto row = [](std::string_view key, std::string_view) {
    print(to_hex(as_bytes(key)));
    return true;
  };
  for (const Family family : {Family::chunks, Family::small}) {
    if (auto done = database.scan(family, "", row); !done) return complain(done.error().what);
  }
  return 0;
}

int list(const StateStore& state, std::string_view prefix) {
  auto entries = state.scan(prefix);
  if (!entries) return complain(entries.error().what);
  for (const StateEntry& entry : *entries) print(entry.key);
  return 0;
}

int get(const StateStore& state, std::string_view key) {
  auto entry = state.get(key);
  if (!entry) return complain(entry.error().what);
  if (!*entry) return complain("no such key");
  print(to_hex(as_bytes((*entry)->value)));
  return 0;
}

int put(StateStore& state, std::string_view key, std::string_view hex) {
  std::string value = from_hex(hex);
  if (value.empty()) return complain("the value is not hexadecimal");
  auto done = state.put(std::string(key), std::move(value));
  return done ? 0 : complain(done.error().what);
}

int run(int argc, char** argv) {
  if (argc < 3) return complain("FOLDER list|get|put|chunks …");
  const std::string_view verb = argv[2];
  std::filesystem::path folder = argv[1];
  std::optional<TempFolder> copy;
  if (verb != "put") {
    copy.emplace();
    std::error_code error;
    std::filesystem::copy(folder, copy->path() / "db", std::filesystem::copy_options::recursive,
                          error);
    if (error) return complain("the database cannot be copied: " + error.message());
    folder = copy->path() / "db";
  }
  auto database = Database::open(folder.string());
  if (!database) return complain(database.error().what);
  if (verb == "chunks" && argc == 3) return print_chunks(**database);
  auto state = RocksState::open(**database);
  if (!state) return complain(state.error().what);
  if (verb == "list" && argc == 4) return list(**state, argv[3]);
  if (verb == "get" && argc == 4) return get(**state, argv[3]);
  if (verb == "put" && argc == 5) return put(**state, argv[3], argv[4]);
  return complain("FOLDER list|get|put|chunks …");
}

}  // namespace
}  // namespace farboot

int main(int argc, char** argv) { return farboot::run(argc, argv); }
