#include "common/content/manifest.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "common/base/check.h"
#include "common/content/byte_codec.h"

// Flat:  "FBMT" version:u32 files:u32, then per file
//        path_bytes:u16 path mode:u16 size:u64 sha256[32] form:u8
//        form whole: nothing more (one chunk, which is the file)
//        form list:  chunks:u32, then per chunk id[32] size:u32
// Root:  "FBMR" version:u32 flat_bytes:u64 parts:u32, then per part id[32] size:u32
// All numbers little-endian. A manifest has exactly one encoding.

namespace farboot {
namespace {

constexpr std::string_view kFlatMagic = "FBMT";
constexpr std::string_view kRootMagic = "FBMR";
constexpr std::uint32_t kVersion = 1;  // on disk and on wire: never reuse a number
constexpr std::uint32_t kModeMax = 07777;
constexpr std::size_t kHeadBytes = 4 + 4 + 4;
constexpr std::size_t kFileBytesMin = 2 + 1 + 2 + 8 + 32 + 1;
constexpr std::size_t kChunkRefBytes = 32 + 4;

enum class Form : std::uint8_t {
  list = 0,
  whole = 1
};  // on disk: never reuse

bool is_whole(const FileEntry& file) {
  return file.chunks.size() == 1 && file.chunks.front().id == file.sha256;
}

/// What both sides demand of one file. `before`: the path in front of it, or empty.
Result<void> check_file(const FileEntry& file, std::string_view before) {
  if (!is_tree_path(file.path))
    return fail(Errc::invalid, "manifest: path '{}': not a tree path", printable(file.path));
  const std::string name = printable(file.path);
  if (!before.empty() && before >= file.path)
    return fail(Errc::invalid, "manifest: path '{}': not sorted, or there twice", name);
  if (file.mode > kModeMax)
    return fail(Errc::invalid, "manifest: path '{}': mode {:o}: not permission bits", name,
                file.mode);
  std::uint64_t sum = 0;
  for (const ChunkRef& chunk : file.chunks) {
    if (chunk.size_bytes == 0 || chunk.size_bytes > kChunkBytesMax)
      return fail(Errc::invalid, "manifest: path '{}': chunk of {} bytes", name, chunk.size_bytes);
    sum += chunk.size_bytes;
  }
  if (sum != file.size_bytes)
    return fail(Errc::invalid, "manifest: path '{}': {} bytes, but its chunks have {}", name,
                file.size_bytes, sum);
  return {};
}

std::size_t encoded_bytes(const FileEntry& file) {
  const std::size_t fixed = kFileBytesMin - 1 + file.path.size();
  return is_whole(file) ? fixed : fixed + 4 + file.chunks.size() * kChunkRefBytes;
}

Result<std::vector<ChunkRef>> read_refs(ByteReader& in, std::size_t count) {
  if (count > in.left() / kChunkRefBytes)
    return fail(Errc::invalid, "manifest: {} chunks announced, bytes left for {}", count,
                in.left() / kChunkRefBytes);
  std::vector<ChunkRef> refs(count);
  for (ChunkRef& ref : refs) {
    const ByteView id = in.raw(ref.id.bytes.size());
    std::copy(id.begin(), id.end(), ref.id.bytes.begin());
    ref.size_bytes = in.number<std::uint32_t>();
  }
  return refs;
}

Result<FileEntry> read_file(ByteReader& in) {
  FileEntry file;
  const auto path_bytes = in.number<std::uint16_t>();
  file.path = as_text(in.raw(path_bytes));
  file.mode = in.number<std::uint16_t>();
  file.size_bytes = in.number<std::uint64_t>();
  const ByteView sha256 = in.raw(file.sha256.bytes.size());
  const auto form = in.number<std::uint8_t>();
  if (!in.ok()) return fail(Errc::invalid, "manifest: cut short");
  std::copy(sha256.begin(), sha256.end(), file.sha256.bytes.begin());
  if (form == static_cast<std::uint8_t>(Form::whole)) {
    if (file.size_bytes == 0 || file.size_bytes > kChunkBytesMax)
      return fail(Errc::invalid, "manifest: path '{}': {} bytes in one chunk", printable(file.path),
                  file.size_bytes);
    file.chunks.push_back({file.sha256, static_cast<std::uint32_t>(file.size_bytes)});
    return file;
  }
  if (form != static_cast<std::uint8_t>(Form::list))
    return fail(Errc::invalid, "manifest: path '{}': form {} unknown", printable(file.path), form);
  const auto count = in.number<std::uint32_t>();
  if (!in.ok()) return fail(Errc::invalid, "manifest: cut short");
  auto refs = read_refs(in, count);
  if (!refs) return refs.error();
  file.chunks = std::move(*refs);
  if (is_whole(file))
    return fail(Errc::invalid, "manifest: path '{}': whole file written as a list",
                printable(file.path));
  return file;
}

bool has_magic(ByteView bytes, std::string_view magic) {
  return bytes.size() >= magic.size() && as_text(bytes.first(magic.size())) == magic;
}

/// Magic and version; the reader stands behind them.
Result<ByteReader> open_form(ByteView bytes, std::string_view magic) {
  if (!has_magic(bytes, magic))
    return fail(Errc::invalid, "manifest: does not begin with {}", magic);
  ByteReader in(bytes.subspan(magic.size()));
  const auto version = in.number<std::uint32_t>();
  if (!in.ok()) return fail(Errc::invalid, "manifest: cut short");
  if (version != kVersion)
    return fail(Errc::invalid, "manifest: version {}, this program reads {}", version, kVersion);
  return in;
}

}  // namespace

const FileEntry* Manifest::find(std::string_view path) const {
  const auto at = std::lower_bound(
      files.begin(), files.end(), path,
      [](const FileEntry& file, std::string_view wanted) { return file.path < wanted; });
  return at != files.end() && at->path == path ? &*at : nullptr;
}

std::uint64_t Manifest::size_bytes() const {
  std::uint64_t sum = 0;
  for (const FileEntry& file : files) sum += file.size_bytes;
  return sum;
}

bool is_tree_path(std::string_view path) {
  if (path.empty() || path.size() > kPathBytesMax || !is_utf8(path)) return false;
  for (const char letter : path) {
    const auto byte = static_cast<unsigned char>(letter);
    if (byte < 0x20 || byte == 0x7f) return false;
  }
  while (true) {
    const std::size_t slash = path.find('/');
    const std::string_view component = path.substr(0, slash);
    if (component.empty() || component == "." || component == "..") return false;
    if (slash == std::string_view::npos) return true;
    path.remove_prefix(slash + 1);
  }
}

Result<Bytes> encode_manifest(const Manifest& manifest) {
  if (manifest.files.size() > kManifestFilesMax)
    return fail(Errc::exhausted, "manifest: {} files, at most {} are possible",
                manifest.files.size(), kManifestFilesMax);
  std::size_t size_bytes = kHeadBytes;
  std::uint64_t content_bytes = 0;
  std::string_view before;
  for (const FileEntry& file : manifest.files) {
    if (auto ok = check_file(file, before); !ok) return ok.error();
    if (file.size_bytes > std::numeric_limits<std::uint64_t>::max() - content_bytes)
      return fail(Errc::invalid, "manifest: path '{}': sizes overflow", printable(file.path));
    content_bytes += file.size_bytes;
    before = file.path;
    size_bytes += encoded_bytes(file);
  }
  if (size_bytes > kManifestBytesMax)
    return fail(Errc::exhausted, "manifest: {} bytes, at most {} are possible", size_bytes,
                kManifestBytesMax);
  ByteWriter out;
  out.reserve(size_bytes);
  out.raw(as_bytes(kFlatMagic));
  out.number(kVersion);
  out.number(static_cast<std::uint32_t>(manifest.files.size()));
  for (const FileEntry& file : manifest.files) {
    out.number(static_cast<std::uint16_t>(file.path.size()));
    out.raw(as_bytes(file.path));
    out.number(static_cast<std::uint16_t>(file.mode));
    out.number(file.size_bytes);
    out.raw(file.sha256.view());
    out.number(static_cast<std::uint8_t>(is_whole(file) ? Form::whole : Form::list));
    if (is_whole(file)) continue;
    out.number(static_cast<std::uint32_t>(file.chunks.size()));
    for (const ChunkRef& chunk : file.chunks) {
      out.raw(chunk.id.view());
      out.number(chunk.size_bytes);
    }
  }
  FARBOOT_CHECK(out.size() == size_bytes);
  return out.take();
}

Result<Manifest> decode_manifest(ByteView bytes) {
  if (bytes.size() > kManifestBytesMax)
    return fail(Errc::invalid, "manifest: {} bytes, at most {} are possible", bytes.size(),
                kManifestBytesMax);
  auto in = open_form(bytes, kFlatMagic);
  if (!in) return in.error();
  const auto count = in->number<std::uint32_t>();
  if (!in->ok()) return fail(Errc::invalid, "manifest: cut short");
  if (count > kManifestFilesMax || count > in->left() / kFileBytesMin)
    return fail(Errc::invalid, "manifest: {} files announced in {} bytes", count, bytes.size());
  Manifest manifest;
  manifest.files.reserve(count);
  std::uint64_t content_bytes = 0;
  for (std::uint32_t i = 0; i < count; ++i) {
    auto file = read_file(*in);
    if (!file) return file.error();
    const std::string_view before = i == 0 ? std::string_view() : manifest.files.back().path;
    if (auto ok = check_file(*file, before); !ok) return ok.error();
    if (file->size_bytes > std::numeric_limits<std::uint64_t>::max() - content_bytes)
      return fail(Errc::invalid, "manifest: path '{}': sizes overflow", printable(file->path));
    content_bytes += file->size_bytes;
    manifest.files.push_back(std::move(*file));
  }
  if (in->left() != 0)
    return fail(Errc::invalid, "manifest: {} bytes behind the last file", in->left());
  return manifest;
}

Result<StoredManifest> to_stored(const Manifest& manifest) {
  auto flat = encode_manifest(manifest);
  if (!flat) return flat.error();
  StoredManifest stored;
  if (flat->size() <= kChunkBytesMax) {
    stored.root = std::move(*flat);
    stored.digest = sha256(stored.root);
    return stored;
  }
  ByteWriter root;
  root.raw(as_bytes(kRootMagic));
  root.number(kVersion);
  root.number(std::uint64_t{flat->size()});
  root.number(static_cast<std::uint32_t>((flat->size() + kChunkBytesMax - 1) / kChunkBytesMax));
  for (ByteView rest = *flat; !rest.empty();) {
    const ByteView part = rest.first(std::min<std::size_t>(rest.size(), kChunkBytesMax));
    rest = rest.subspan(part.size());
    root.raw(sha256(part).view());
    root.number(static_cast<std::uint32_t>(part.size()));
    stored.parts.emplace_back(part.begin(), part.end());
  }
  stored.root = root.take();
  stored.digest = sha256(stored.root);
  return stored;
}

Result<std::vector<ChunkRef>> manifest_parts(ByteView root) {
  if (has_magic(root, kFlatMagic)) {
    auto flat = open_form(root, kFlatMagic);
    if (!flat) return flat.error();
    return std::vector<ChunkRef>();
  }
  auto in = open_form(root, kRootMagic);
  if (!in) return in.error();
  const auto flat_bytes = in->number<std::uint64_t>();
  const auto count = in->number<std::uint32_t>();
  if (!in->ok()) return fail(Errc::invalid, "manifest: cut short");
  if (flat_bytes <= kChunkBytesMax || flat_bytes > kManifestBytesMax)
    return fail(Errc::invalid, "manifest: root of {} bytes", flat_bytes);
  auto parts = read_refs(*in, count);
  if (!parts) return parts.error();
  if (in->left() != 0)
    return fail(Errc::invalid, "manifest: {} bytes behind the last part", in->left());
  std::uint64_t left = flat_bytes;
  for (const ChunkRef& part : *parts) {  // every part but the last is full: one encoding only
    if (part.size_bytes != std::min<std::uint64_t>(left, kChunkBytesMax) || part.size_bytes == 0)
      return fail(Errc::invalid, "manifest: part of {} bytes, {} left", part.size_bytes, left);
    left -= part.size_bytes;
  }
  if (left != 0) return fail(Errc::invalid, "manifest: parts lack {} bytes", left);
  return parts;
}

}  // namespace farboot
