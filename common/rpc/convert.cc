#include "common/rpc/convert.h"

#include <algorithm>
#include <unordered_set>

namespace farboot {
namespace {

constexpr std::size_t kDigestBytes = 32;
constexpr std::int64_t kTimeMax = 253'402'300'799'000;  // 9999-12-31T23:59:59Z

v1::DocumentKind kind_to_proto(DocumentKind kind) {
  switch (kind) {
    case DocumentKind::release: return v1::DOCUMENT_KIND_RELEASE;
    case DocumentKind::desired_state: return v1::DOCUMENT_KIND_DESIRED_STATE;
    case DocumentKind::ready: return v1::DOCUMENT_KIND_READY;
  }
  return v1::DOCUMENT_KIND_UNSPECIFIED;
}

}  // namespace

v1::SignedDocument to_proto(DocumentKind kind, const SignedDocument& document) {
  v1::SignedDocument message;
  message.set_kind(kind_to_proto(kind));
  message.set_document(document.document.data(), document.document.size());
  message.set_signature(document.signature.data(), document.signature.size());
  return message;
}

Result<SignedDocument> from_proto(DocumentKind kind, const v1::SignedDocument& message) {
  if (message.kind() != kind_to_proto(kind))
    return fail(Errc::invalid, "signed document: of kind {}, {} expected",
                static_cast<int>(message.kind()), static_cast<int>(kind_to_proto(kind)));
  SignedDocument document;
  if (message.signature().size() != document.signature.size())
    return fail(Errc::invalid, "signed document: signature of {} bytes",
                message.signature().size());
  if (message.document().empty() || message.document().size() > kSignedDocumentBytesMax)
    return fail(Errc::invalid, "signed document: {} bytes", message.document().size());
  document.document = to_bytes(message.document());
  std::copy(message.signature().begin(), message.signature().end(), document.signature.begin());
  return document;
}

Result<Digest> digest_from_proto(const std::string& bytes) {
  return Digest::from_bytes(as_bytes(bytes));
}

Result<std::optional<Digest>> optional_digest_from_proto(const std::string& bytes) {
  if (bytes.empty()) return std::optional<Digest>();
  auto digest = digest_from_proto(bytes);
  if (!digest) return digest.error();
  return std::optional(*digest);
}

std::string to_proto(std::span<const Digest> digests) {
  std::string bytes;
  bytes.reserve(digests.size() * kDigestBytes);
  for (const Digest& digest : digests) bytes += as_text(digest.bytes);
  return bytes;
}

Result<std::vector<Digest>> digests_from_proto(const std::string& bytes, std::size_t count_max) {
  const std::size_t count = bytes.size() / kDigestBytes;
  if (count == 0 || bytes.size() % kDigestBytes != 0 || count > count_max)
    return fail(Errc::invalid, "digests: {} bytes, 1 to {} digests of 32 expected", bytes.size(),
                count_max);
  std::vector<Digest> digests;
  digests.reserve(count);
  std::unordered_set<Digest, DigestHash> seen;
  for (std::size_t i = 0; i < count; ++i) {
    auto digest = Digest::from_bytes(as_bytes(bytes).subspan(i * kDigestBytes, kDigestBytes));
    if (!digest) return digest.error();
    if (!seen.insert(*digest).second) return fail(Errc::invalid, "digest {}: named twice", *digest);
    digests.push_back(*digest);
  }
  return digests;
}

WallTime time_from_proto(std::int64_t time_ms) {
  return WallTime(Milliseconds(std::clamp<std::int64_t>(time_ms, 0, kTimeMax)));
}

std::string text_from_proto(const std::string& text, std::size_t bytes_max) {
  std::string_view view(text);
  view = view.substr(0, bytes_max);
  const bool plain = is_utf8(view) && std::none_of(view.begin(), view.end(), [](char c) {
                       return static_cast<unsigned char>(c) < 0x20 || c == 0x7f;
                     });
  return plain ? std::string(view) : printable(view, bytes_max);
}

}  // namespace farboot
