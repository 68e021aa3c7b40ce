#include "common/rpc/enrol_token.h"

#include <algorithm>
#include <charconv>

#include "common/base/bytes.h"
#include "common/base/check.h"
#include "common/rpc/identity.h"

namespace farboot {
namespace {

constexpr std::string_view kPrefix = "fb1.";
constexpr std::string_view kAlphabet =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
constexpr std::size_t kCheckBytes = 4;
constexpr std::size_t kAddressBytesMax = 255;
constexpr std::uint64_t kExpirySecondsMax = 1ull << 40;

std::string to_base64url(ByteView bytes) {
  std::string text;
  std::uint32_t bits = 0;
  int count = 0;
  for (const std::uint8_t byte : bytes) {
    bits = (bits << 8) | byte;
    count += 8;
    for (; count >= 6; count -= 6) text += kAlphabet[(bits >> (count - 6)) & 63];
  }
  if (count > 0) text += kAlphabet[(bits << (6 - count)) & 63];
  return text;
}

/// Empty where `text` is not what to_base64url() writes.
Bytes from_base64url(std::string_view text) {
  Bytes bytes;
  std::uint32_t bits = 0;
  int count = 0;
  for (const char c : text) {
    const std::size_t value = kAlphabet.find(c);
    if (value == std::string_view::npos) return {};
    bits = ((bits << 6) | static_cast<std::uint32_t>(value)) & 0xfff;
    count += 6;
    if (count < 8) continue;
    count -= 8;
    bytes.push_back(static_cast<std::uint8_t>((bits >> count) & 0xff));
  }
  return bytes;
}

void put_text(Bytes& out, std::string_view text) {
  FARBOOT_CHECK(text.size() <= kAddressBytesMax);
  out.push_back(static_cast<std::uint8_t>(text.size()));
  out.insert(out.end(), text.begin(), text.end());
}

/// Takes `count` bytes off the front, or fails for good.
class Reader {
 public:
  explicit Reader(ByteView bytes) : left_(bytes) {}
  ByteView take(std::size_t count) {
    if (count > left_.size()) {
      ok_ = false;
      left_ = {};
      return {};
    }
    const ByteView taken = left_.first(count);
    left_ = left_.subspan(count);
    return taken;
  }
  std::string text() {
    const ByteView size = take(1);
    return size.empty() ? std::string() : std::string(as_text(take(size[0])));
  }
  template <std::size_t N>
  void into(std::array<std::uint8_t, N>& out) {
    const ByteView raw = take(N);
    if (raw.size() == N) std::copy(raw.begin(), raw.end(), out.begin());
  }
  bool finished() const { return ok_ && left_.empty(); }

 private:
  ByteView left_;
  bool ok_ = true;
};

bool is_host(std::string_view host) {
  if (host.empty()) return false;
  const bool six = host.size() > 4 && host.front() == '[' && host.back() == ']';
  if (six) host = host.substr(1, host.size() - 2);
  return std::all_of(host.begin(), host.end(), [six](char c) {
    const bool digit = c >= '0' && c <= '9';
    if (six)
      return digit || c == ':' || c == '.' || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
    return digit || c == '.' || c == '-' || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
  });
}

}  // namespace

bool is_address(std::string_view text) {
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos || text.size() > kAddressBytesMax) return false;
  const std::string_view port = text.substr(colon + 1);
  unsigned number = 0;
  const auto end = port.data() + port.size();
  const auto parsed = std::from_chars(port.data(), end, number);
  return !port.empty() && parsed.ptr == end && parsed.ec == std::errc() && number >= 1 &&
         number <= 65535 && is_host(text.substr(0, colon));
}

std::string encode_token(const EnrolToken& token) {
  Bytes out;
  const auto expires = static_cast<std::uint64_t>(
      std::chrono::floor<Seconds>(token.expires).time_since_epoch().count());
  for (int shift = 56; shift >= 0; shift -= 8)
    out.push_back(static_cast<std::uint8_t>((expires >> shift) & 0xff));
  out.insert(out.end(), token.ca_fingerprint.bytes.begin(), token.ca_fingerprint.bytes.end());
  out.insert(out.end(), token.id.begin(), token.id.end());
  out.insert(out.end(), token.secret.begin(), token.secret.end());
  put_text(out, token.address);
  put_text(out, token.site);
  put_text(out, token.agent);
  const Digest check = sha256(out);
  out.insert(out.end(), check.bytes.begin(), check.bytes.begin() + kCheckBytes);
  return std::string(kPrefix) + to_base64url(out);
}

Result<EnrolToken> decode_token(std::string_view text) {
  constexpr std::string_view kBlank = " \t\r\n";
  const std::size_t first = text.find_first_not_of(kBlank);
  text = first == std::string_view::npos
             ? std::string_view()
             : text.substr(first, text.find_last_not_of(kBlank) - first + 1);
  if (!text.starts_with(kPrefix))
    return fail(Errc::invalid, "token: does not begin with {}: not an enrolment token", kPrefix);
  const Error damaged = fail(Errc::invalid, "token: damaged; copy the whole line again");
  if (text.size() > kTokenTextBytesMax) return damaged;
  const Bytes bytes = from_base64url(text.substr(kPrefix.size()));
  if (bytes.size() <= kCheckBytes) return damaged;
  const ByteView body(bytes.data(), bytes.size() - kCheckBytes);
  const Digest check = sha256(body);
  if (!std::equal(check.bytes.begin(), check.bytes.begin() + kCheckBytes,
                  bytes.end() - kCheckBytes))
    return damaged;

  Reader in(body);
  std::uint64_t expires = 0;
  for (const std::uint8_t byte : in.take(8)) expires = (expires << 8) | byte;
  EnrolToken token;
  in.into(token.ca_fingerprint.bytes);
  in.into(token.id);
  in.into(token.secret);
  token.address = in.text();
  token.site = in.text();
  token.agent = in.text();
  if (!in.finished() || expires > kExpirySecondsMax || !is_address(token.address) ||
      !is_peer_word(token.site) || !is_peer_word(token.agent))
    return damaged;
  token.expires = WallTime(Seconds(static_cast<std::int64_t>(expires)));
  return token;
}

}  // namespace farboot
