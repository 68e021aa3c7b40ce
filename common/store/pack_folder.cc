#include "common/store/pack_folder.h"

#include <sys/stat.h>

#include <algorithm>
#include <charconv>
#include <filesystem>

#include "common/base/log.h"

namespace farboot {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kSuffix = ".pack";
constexpr std::size_t kNumberDigits = 8;

}  // namespace

class PackFolder::Lease {
 public:
  Lease(std::shared_ptr<Leases> leases, std::shared_ptr<PackFile> file, std::uint64_t place)
      : leases_(std::move(leases)), file_(std::move(file)), place_(place) {
    leases_->with([&](auto& held) { ++held[place_]; });
  }
  ~Lease() {
    leases_->with([&](auto& held) {
      const auto it = held.find(place_);
      if (--it->second == 0) held.erase(it);
    });
  }
  Lease(const Lease&) = delete;
  Lease& operator=(const Lease&) = delete;

 private:
  std::shared_ptr<Leases> leases_;
  std::shared_ptr<PackFile> file_;
  std::uint64_t place_;
};

PackFolder::PackFolder(std::string path)
    : path_(std::move(path)), leases_(std::make_shared<Leases>()) {}

Result<void> PackFolder::make() const {
  std::error_code error;
  fs::create_directories(path_, error);
  if (!error) return {};
  return fail(error == std::errc::permission_denied ? Errc::denied : Errc::unavailable,
              "store {}: cannot make the folder: {}", path_, error.message());
}

std::string PackFolder::path_of(std::uint32_t number) const {
  return fmt::format("{}/{:08}{}", path_, number, kSuffix);
}

Result<std::vector<std::uint32_t>> PackFolder::numbers() const {
  std::vector<std::uint32_t> numbers;
  std::error_code error;
  fs::directory_iterator it(path_, error);
  for (; !error && it != fs::directory_iterator(); it.increment(error)) {
    const std::string name = it->path().filename();
    if (!name.ends_with(kSuffix) || name.size() < kNumberDigits + kSuffix.size()) continue;
    const char* const end = name.data() + name.size() - kSuffix.size();
    std::uint32_t number = 0;
    const auto [stop, bad] = std::from_chars(name.data(), end, number);
    if (bad == std::errc() && stop == end && number != 0) numbers.push_back(number);
  }
  if (error) return fail(Errc::unavailable, "store {}: {}", path_, error.message());
  std::sort(numbers.begin(), numbers.end());
  return numbers;
}

std::shared_ptr<PackFile> PackFolder::file_if_open(std::uint32_t number) const {
  return opened_.find(number);
}

Result<std::shared_ptr<PackFile>> PackFolder::file(std::uint32_t number) const {
  if (auto known = file_if_open(number)) return known;
  auto file = PackFile::open(path_of(number));
  if (!file) return file.error();
  OpenPacks::Gone gone = opened_.add(number, *file);
  // Removed meanwhile: do not keep its space.
  struct stat info = {};
  if (::fstat((*file)->fd(), &info) == 0 && info.st_nlink == 0)
    gone.splice(gone.end(), opened_.remove(number));
  return *file;
}

Result<std::shared_ptr<PackFile>> PackFolder::create(std::uint32_t number) {
  auto file = PackFile::create(path_of(number));
  if (!file) return file.error();
  const OpenPacks::Gone gone = opened_.add(number, *file);
  return *file;
}

bool PackFolder::remove(std::uint32_t number) {
  const std::string path = path_of(number);
  const bool gone = ::unlink(path.c_str()) == 0 || errno == ENOENT;
  if (!gone) {
    const auto text = std::error_code(errno, std::generic_category()).message();
    log::warn("store.unlink_failed", log::kv("path", path), log::kv("error", text));
  }
  const OpenPacks::Gone closed = opened_.remove(number);
  return gone;
}

std::shared_ptr<const void> PackFolder::lease(std::shared_ptr<PackFile> file, std::uint32_t number,
                                              std::uint32_t offset) const {
  return std::make_shared<const Lease>(leases_, std::move(file),
                                       std::uint64_t{number} << 32 | offset);
}

bool PackFolder::leased(std::uint32_t number, std::uint32_t offset) const {
  return leases_->with(
      [&](const auto& held) { return held.contains(std::uint64_t{number} << 32 | offset); });
}

}  // namespace farboot
