// bench_import SOURCE FOLDER [SHA256]: imports SOURCE into a new pack store in FOLDER, as the
// controller does, and prints rate and memory. Compare with `sha256sum SOURCE` in the same run.
#include <sys/resource.h>

#include <cstdio>
#include <string>

#include "common/base/clock.h"
#include "common/store/pack_store.h"
#include "controller/import/importer.h"

namespace farboot {
namespace {

int complain(const Error& error) {
  std::fprintf(stderr, "bench_import: %s\n", error.what.c_str());
  return 1;
}

int run(const ImportRequest& request, const std::string& folder) {
  auto database = Database::open(folder + "/db");
  if (!database) return complain(database.error());
  auto store = PackStore::open(**database, folder + "/packs");
  if (!store) return complain(store.error());
  for (const char* pass : {"first", "again"}) {
    const SteadyTime begin = system_clock().steady();
    auto image = import_image(request, **store, {});
    if (!image) return complain(image.error());
    const std::chrono::duration<double> seconds = system_clock().steady() - begin;
    rusage used{};
    ::getrusage(RUSAGE_SELF, &used);
    std::printf("%s: %.1f MB in %.1f s: %.1f MB/s; peak RSS %.1f MB; user %.1f s, system %.1f s\n",
                pass, static_cast<double>(image->size_bytes) / 1e6, seconds.count(),
                static_cast<double>(image->size_bytes) / 1e6 / seconds.count(),
                static_cast<double>(used.ru_maxrss) / 1024,
                static_cast<double>(used.ru_utime.tv_sec),
                static_cast<double>(used.ru_stime.tv_sec));
  }
  return 0;
}

}  // namespace
}  // namespace farboot

int main(int count, char** words) {
  if (count < 3) {
    std::fprintf(stderr, "usage: bench_import SOURCE FOLDER [SHA256]\n");
    return 2;
  }
  farboot::ImportRequest request;
  request.source = words[1];
  request.name = "bench";
  request.tag = "1";
  if (count > 3) {
    auto digest = farboot::Digest::from_hex(words[3]);
    if (!digest) return farboot::complain(digest.error());
    request.sha256 = *digest;
  }
  return farboot::run(request, words[2]);
}
