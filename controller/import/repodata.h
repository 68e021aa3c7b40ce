// An RPM repository's metadata: repomd.xml and primary.xml. Bytes in, facts out; never a network or
// file access, never an external entity: a document type declaration is refused outright.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/base/bytes.h"
#include "common/base/result.h"
#include "controller/import/checksum.h"

namespace farboot {

inline constexpr std::size_t kRepomdBytesMax = 1u << 20;
inline constexpr std::uint64_t kPrimaryXmlBytesMax = 4ull << 30;  ///< unpacked; parsed as it flows

/// A file that repomd.xml or primary.xml names, with what they promise about it.
struct RepoFile {
  std::string type;  ///< in repomd.xml: `primary`, `filelists`, `group`, …; in primary.xml: empty
  std::string href;  ///< relative to the repository; not yet checked
  std::string base;  ///< xml:base of the location, if any: the file may lie elsewhere
  std::optional<Checksum> checksum;
  std::optional<std::uint64_t> size_bytes;
};

/// Errors: invalid.
Result<std::vector<RepoFile>> parse_repomd(ByteView xml);

/// Feeds on primary.xml in pieces, tells `package` about each package. Errors of push() and
/// finish(): invalid, and whatever `package` returns.
class PrimaryParser {
 public:
  using OnPackage = std::function<Result<void>(const RepoFile&)>;
  explicit PrimaryParser(OnPackage package);
  ~PrimaryParser();
  PrimaryParser(const PrimaryParser&) = delete;
  PrimaryParser& operator=(const PrimaryParser&) = delete;

  Result<void> push(ByteView xml);
  Result<void> finish();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace farboot
