#include "controller/link/release_content.h"

#include <algorithm>
#include <utility>

#include "common/content/ready_proof.h"
#include "common/content/release.h"
#include "common/store/release_closure.h"

namespace farboot {

bool ReleaseContent::has(const Digest& chunk) const {
  return std::binary_search(chunks.begin(), chunks.end(), chunk);
}

std::shared_ptr<const ReleaseContent> ReleaseContents::remembered(const Digest& release) {
  return remembered_.with([&](auto& list) -> std::shared_ptr<const ReleaseContent> {
    const auto at = std::find_if(list.begin(), list.end(),
                                 [&](const auto& content) { return content->digest == release; });
    if (at == list.end()) return nullptr;
    std::rotate(at, at + 1, list.end());  // asked for last: forgotten last
    return list.back();
  });
}

Result<std::shared_ptr<const ReleaseContent>> ReleaseContents::get(const Digest& release) {
  if (auto known = remembered(release)) return known;
  const std::lock_guard lock(loading_);
  if (auto known = remembered(release)) return known;
  auto loaded = load(release);
  if (!loaded) return loaded.error();
  remembered_.with([&](auto& list) {
    list.push_back(*loaded);
    if (list.size() > kRemembered) list.pop_front();
  });
  return loaded;
}

Result<std::shared_ptr<const ReleaseContent>> ReleaseContents::load(const Digest& release) const {
  const std::string subject = "release " + release.short_hex();
  auto stored = state_.get("release/" + release.hex());
  if (!stored) return prefix(subject, stored.error());
  if (!*stored) return fail(Errc::not_found, "{}: not known here", subject);
  auto document = decode_signed(as_bytes((*stored)->value));
  if (!document) return prefix(subject, document.error());
  if (document->digest() != release)
    return fail(Errc::corrupt, "{}: what is stored under its name is another document", subject);
  auto decoded = decode_release(document->document);
  if (!decoded) return prefix(subject, decoded.error());
  auto content = std::make_shared<ReleaseContent>();
  content->digest = release;
  content->document = std::move(*document);
  content->manifests = decoded->manifests();
  auto closure = release_closure(content_, content->manifests);
  if (!closure) return prefix(subject, closure.error());
  content->chunks.reserve(closure->size());
  for (const ChunkRef& chunk : *closure) {
    content->total_bytes += chunk.size_bytes;
    content->chunks.push_back(chunk.id);
  }
  std::sort(content->chunks.begin(), content->chunks.end());
  content->root = merkle_root(content->chunks);
  return std::shared_ptr<const ReleaseContent>(std::move(content));
}

}  // namespace farboot
