#include "controller/import/stored_file.h"

#include <memory>

namespace farboot {

PullBytes pull_from(const ContentStore& store, const FileEntry& file) {
  struct Place {
    std::size_t next = 0;
    Bytes bytes;
  };
  auto place = std::make_shared<Place>();
  return [&store, &file, place]() -> Result<ByteView> {
    if (place->next == file.chunks.size()) return ByteView();
    auto bytes = store.get(file.chunks[place->next++].id);
    if (!bytes) return prefix(printable(file.path), bytes.error());
    place->bytes = std::move(*bytes);
    return ByteView(place->bytes);
  };
}

Result<Bytes> read_stored(const ContentStore& store, const FileEntry& file, std::size_t bytes_max) {
  if (file.size_bytes > bytes_max)
    return fail(Errc::invalid, "{}: {} bytes, at most {}", printable(file.path), file.size_bytes,
                bytes_max);
  Bytes whole;
  whole.reserve(file.size_bytes);
  const PullBytes pull = pull_from(store, file);
  while (true) {
    auto bytes = pull();
    if (!bytes) return bytes.error();
    if (bytes->empty()) return whole;
    whole.insert(whole.end(), bytes->begin(), bytes->end());
  }
}

}  // namespace farboot
