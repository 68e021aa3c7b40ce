#include "controller/import/journal.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstring>
#include <fstream>
#include <optional>
#include <utility>

namespace farboot {
namespace {

constexpr std::size_t kFilesMax = 200'000;

/// `<sha256> <id>:<bytes> <id>:<bytes> … .`; the dot says that the line is whole.
std::optional<FileEntry> parse_line(std::string_view line) {
  if (!line.ends_with(" .") || line.size() < 66) return std::nullopt;
  line.remove_suffix(2);
  auto sha256 = Digest::from_hex(line.substr(0, 64));
  if (!sha256) return std::nullopt;
  FileEntry file{.sha256 = *sha256};
  for (line.remove_prefix(64); !line.empty();) {
    const std::string_view word = line.substr(1, line.find(' ', 1) - 1);
    line.remove_prefix(1 + word.size());
    if (word.size() < 66 || word[64] != ':') return std::nullopt;
    auto id = Digest::from_hex(word.substr(0, 64));
    ChunkRef chunk;
    const auto [end, status] =
        std::from_chars(word.data() + 65, word.data() + word.size(), chunk.size_bytes);
    if (!id || status != std::errc() || end != word.data() + word.size() || chunk.size_bytes == 0 ||
        chunk.size_bytes > kChunkBytesMax)
      return std::nullopt;
    chunk.id = *id;
    file.chunks.push_back(chunk);
  }
  return file;
}

}  // namespace

Result<ImportJournal> ImportJournal::open(const std::string& path) {
  ImportJournal journal;
  if (path.empty()) return journal;
  std::ifstream lines(path);
  for (std::string line; journal.known_.size() < kFilesMax && std::getline(lines, line);)
    if (auto file = parse_line(line)) journal.known_[file->sha256] = std::move(file->chunks);
  journal.file_ = UniqueFd(::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600));
  if (journal.file_.get() < 0)
    return fail(Errc::unavailable, "import journal {}: {}", path, std::strerror(errno));
  return journal;
}

const std::vector<ChunkRef>* ImportJournal::find(const Digest& sha256) const {
  const auto at = known_.find(sha256);
  return at == known_.end() ? nullptr : &at->second;
}

void ImportJournal::add(const FileEntry& file) {
  if (file_.get() < 0 || file.chunks.size() < 2 || known_.size() >= kFilesMax) return;
  if (!known_.emplace(file.sha256, file.chunks).second) return;
  // Begins with a line's end: what a crash left of the line before stays alone.
  std::string line = "\n" + file.sha256.hex();
  for (const ChunkRef& chunk : file.chunks)
    line += fmt::format(" {}:{}", chunk.id, chunk.size_bytes);
  line += " .";
  const ssize_t written = ::write(file_.get(), line.data(), line.size());
  static_cast<void>(written);
}

bool begin_journal(const std::string& path, WallTime now) {
  if (path.empty()) return false;
  const bool held = ::access(path.c_str(), F_OK) == 0;
  const UniqueFd file(::open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
  timespec times[2] = {};
  times[0].tv_sec = times[1].tv_sec = std::chrono::floor<Seconds>(now).time_since_epoch().count();
  if (file.get() >= 0) ::futimens(file.get(), times);
  return held;
}

std::size_t remove_old_journals(const std::filesystem::path& folder, WallTime now) {
  std::error_code error;
  std::size_t removed = 0;
  for (const auto& file : std::filesystem::directory_iterator(folder, error)) {
    struct stat facts {};
    if (file.path().extension() != ".journal" || ::stat(file.path().c_str(), &facts) != 0) continue;
    const WallTime begun{Seconds(facts.st_mtim.tv_sec)};
    if (now - begun > kBrokenOffImportLife && ::unlink(file.path().c_str()) == 0) ++removed;
  }
  return removed;
}

}  // namespace farboot
