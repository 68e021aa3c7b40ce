#include "controller/release/release_book.h"

#include <algorithm>
#include <charconv>

#include "common/base/log.h"

namespace farboot {
namespace {

constexpr std::string_view kDocumentPrefix = "release/";
constexpr std::string_view kNumberPrefix = "release-number/";
constexpr std::size_t kDigestBeginningMin = 8;

std::string document_key(std::string_view hex) {
  return std::string(kDocumentPrefix) + std::string(hex);
}
std::string number_key(std::uint64_t number) {
  return fmt::format("{}{:020}", kNumberPrefix, number);
}

/// `r7` → 7; nothing if it is not that.
std::optional<std::uint64_t> release_number(std::string_view name) {
  if (name.size() < 2 || name[0] != 'r') return std::nullopt;
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(name.data() + 1, name.data() + name.size(), number);
  if (error != std::errc() || end != name.data() + name.size()) return std::nullopt;
  return number;
}

}  // namespace

std::set<Digest> ReleaseBook::changed() const {
  return changed_.with([](const auto& known) { return known; });
}

Result<StoredRelease> ReleaseBook::load(std::string_view hex) const {
  auto release = read(hex);
  if (release || (release.error().code != Errc::corrupt && release.error().code != Errc::invalid))
    return release;
  const auto digest = Digest::from_hex(hex);
  if (digest && changed_.with([&](auto& known) { return known.insert(*digest).second; }))
    log::error("release.changed", log::kv("release", digest->short_hex()),
               log::kv("error", release.error().what));
  return release;
}

Result<StoredRelease> ReleaseBook::read(std::string_view hex) const {
  const auto entry = state_.get(document_key(hex));
  if (!entry) return entry.error();
  if (!*entry) return fail(Errc::not_found, "release {}: not here", hex);
  auto document = decode_signed(as_bytes((*entry)->value));
  if (!document) return prefix(fmt::format("release {}", hex), document.error());
  const Digest digest = document->digest();
  if (digest.hex() != hex)
    return fail(Errc::corrupt, "release {}: the stored document has digest {}", hex, digest);
  auto release = decode_release(document->document);
  if (!release) return prefix(fmt::format("release {}", hex), release.error());
  return StoredRelease{digest, std::move(*release), std::move(*document)};
}

Result<std::optional<StoredRelease>> ReleaseBook::newest() const {
  const auto numbers = state_.scan(kNumberPrefix);
  if (!numbers) return numbers.error();
  if (numbers->empty()) return std::optional<StoredRelease>();
  auto release = load(numbers->back().value);
  if (!release) return release.error();
  return std::optional(std::move(*release));
}

Result<StoredRelease> ReleaseBook::find(const Digest& digest) const { return load(digest.hex()); }

Result<StoredRelease> ReleaseBook::find(std::string_view name) const {
  if (const auto number = release_number(name)) {
    const auto entry = state_.get(number_key(*number));
    if (!entry) return entry.error();
    if (*entry) return load((*entry)->value);
    return fail(Errc::not_found,
                "release r{}: does not exist; `farboot release list` shows those that do", *number);
  }
  if (name.size() < kDigestBeginningMin || name.size() > 64 ||
      name.find_first_not_of("0123456789abcdef") != std::string_view::npos)
    return fail(Errc::invalid, "release {}: want r<number> or at least {} digits of its digest",
                printable(name), kDigestBeginningMin);
  const auto matches = state_.scan(document_key(name));
  if (!matches) return matches.error();
  if (matches->empty()) return fail(Errc::not_found, "release {}: does not exist", name);
  if (matches->size() > 1) return fail(Errc::conflict, "release {}: several begin so", name);
  return load(std::string_view(matches->front().key).substr(kDocumentPrefix.size()));
}

Result<std::vector<StoredRelease>> ReleaseBook::releases() const {
  const auto numbers = state_.scan(kNumberPrefix);
  if (!numbers) return numbers.error();
  std::vector<StoredRelease> out;
  for (auto entry = numbers->rbegin(); entry != numbers->rend(); ++entry) {
    auto release = load(entry->value);
    if (!release) return release.error();
    out.push_back(std::move(*release));
  }
  return out;
}

Result<std::map<Digest, std::uint64_t>> ReleaseBook::numbers() const {
  const auto entries = state_.scan(kNumberPrefix);
  if (!entries) return entries.error();
  std::map<Digest, std::uint64_t> out;
  for (const StateEntry& entry : *entries) {
    const auto digest = Digest::from_hex(entry.value);
    const std::string_view digits = std::string_view(entry.key).substr(kNumberPrefix.size());
    std::uint64_t number = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
    if (!digest || error != std::errc() || end != digits.data() + digits.size())
      return fail(Errc::corrupt, "{}: not a release number", entry.key);
    out[*digest] = number;
  }
  return out;
}

Result<StoredRelease> ReleaseBook::prepare(Release content,
                                           const std::optional<StoredRelease>& parent, WallTime now,
                                           Transaction& transaction) const {
  content.number = parent ? parent->release.number + 1 : 1;
  content.parent = parent ? std::optional(parent->digest) : std::nullopt;
  content.created = std::chrono::floor<Seconds>(now);
  Bytes bytes = encode_release(content);
  if (bytes.size() > kReleaseBytesMax)
    return fail(Errc::exhausted, "the release would be {} bytes long, at most {} are possible",
                bytes.size(), kReleaseBytesMax);
  auto release = decode_release(bytes);
  if (!release) return release.error();
  StoredRelease made{{}, std::move(*release), key_.sign(DocumentKind::release, std::move(bytes))};
  made.digest = made.document.digest();
  const std::string hex = made.digest.hex();
  const Bytes stored = encode_signed(made.document);
  transaction.expect(number_key(content.number), 0)
      .put(document_key(hex), std::string(as_text(stored)))
      .put(number_key(content.number), hex);
  return made;
}

bool same_content(const Release& a, const Release& b) {
  Release bare_a = a, bare_b = b;
  for (Release* bare : {&bare_a, &bare_b}) {
    bare->number = 0;
    bare->parent.reset();
    bare->created = {};
    bare->comment.clear();
  }
  return bare_a == bare_b;
}

}  // namespace farboot
