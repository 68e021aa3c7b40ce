#include "controller/import/udf_volume.h"

#include <udfread/blockinput.h>
#include <udfread/udfread.h>

#include <algorithm>
#include <array>
#include <optional>
#include <set>

#include "common/content/manifest.h"

namespace farboot {
namespace {

constexpr std::uint64_t kFirstDescriptor = 16;
constexpr std::size_t kUdfDescriptorsMax = 64;
/// Windows' discs have about a thousand files, at most eight folders deep.
constexpr std::size_t kUdfFilesMax = 50'000;
constexpr std::size_t kUdfFilesInFolderMax = 5'000;  ///< the library looks through them for each
constexpr std::size_t kUdfFoldersMax = 10'000;
constexpr std::size_t kUdfDepthMax = 32;
/// Descriptors and directories: what is read before a file's own bytes. Each file costs a block.
constexpr std::uint64_t kUdfMetadataBytesMax = 256u << 20;
/// Of one step (opening the volume, a folder or a file): a chain in a circle ends here, and the
/// library keeps up to twice of what it reads.
constexpr std::uint64_t kUdfStepBytesMax = 16u << 20;
constexpr std::size_t kUdfReadBytes = 1u << 20;

struct CloseFolder {
  void operator()(UDFDIR* folder) const { ::udfread_closedir(folder); }
};
using Folder = std::unique_ptr<UDFDIR, CloseFolder>;
struct CloseFile {
  void operator()(UDFFILE* file) const { ::udfread_file_close(file); }
};
using File = std::unique_ptr<UDFFILE, CloseFile>;
struct CloseVolume {
  void operator()(udfread* volume) const { ::udfread_close(volume); }
};

std::string below(const std::string& folder, const std::string& name) {
  return folder.empty() ? name : fmt::format("{}/{}", folder, name);
}

/// The library gives zeros for blocks that no descriptor places; no disc leaves any out.
bool is_placed(UDFFILE* file, std::uint64_t offset_bytes, std::uint64_t size_bytes) {
  const std::uint64_t end = (offset_bytes + size_bytes + UDF_BLOCK_SIZE - 1) / UDF_BLOCK_SIZE;
  for (std::uint64_t block = offset_bytes / UDF_BLOCK_SIZE; block < end; ++block)
    if (::udfread_file_lba(file, static_cast<std::uint32_t>(block)) == 0) return false;
  return true;
}

/// True if the bytes lie in the file's own descriptor: then it has no blocks to be read.
bool is_inline(UDFFILE* file) {
  std::array<std::uint8_t, UDF_BLOCK_SIZE> block{};
  return ::udfread_read_blocks(file, block.data(), 0, 1, 0) == 0;
}

}  // namespace

/// What the library reads through, and the volume on it. Its first part is the library's.
class UdfVolume::Input {
 public:
  Input(const ReadAt& read, std::uint64_t size_bytes) : read_(read), size_bytes_(size_bytes) {
    callbacks_.base.read = on_read;
    callbacks_.base.size = on_size;
    callbacks_.self = this;
  }

  Result<void> open() {
    volume_.reset(::udfread_init());
    if (volume_ == nullptr) return fail(Errc::exhausted, "UDF: no memory");
    begin_step();
    if (::udfread_open_input(volume_.get(), &callbacks_.base) < 0)
      return problem("no UDF volume that can be read");
    return {};
  }

  Folder root() {
    begin_step();
    return Folder(::udfread_opendir(volume_.get(), "/"));
  }
  Folder folder_in(UDFDIR* parent, const std::string& name) {
    begin_step();
    Folder folder(::udfread_opendir_at(parent, name.c_str()));
    return step_failed() ? Folder() : std::move(folder);
  }
  /// Where a file's descriptors could not be read to their end the library goes on with those it
  /// has, and gives zeros for the rest of the file: not here.
  File file_in(UDFDIR* parent, const std::string& name) {
    begin_step();
    File file(::udfread_file_openat(parent, name.c_str()));
    return step_failed() ? File() : std::move(file);
  }
  /// A file's own bytes count for nothing: whoever reads it knows its length.
  void begin_bytes() { left_bytes_ = std::nullopt; }

  /// Why the library gave up.
  Error problem(std::string_view what) const {
    if (error_) return *error_;
    if (metadata_bytes_ >= kUdfMetadataBytesMax || left_bytes_ == 0u)
      return fail(Errc::mismatch, "UDF: {}: its descriptors do not end", what);
    if (beyond_end_)
      return fail(Errc::mismatch, "UDF: {}: truncated: block {} is named, the file has {}", what,
                  *beyond_end_, size_bytes_ / UDF_BLOCK_SIZE);
    return fail(Errc::mismatch, "UDF: {}: damaged", what);
  }
  std::uint64_t size_bytes() const { return size_bytes_; }

 private:
  struct Callbacks {
    udfread_block_input base{};
    Input* self = nullptr;
  };

  void begin_step() {
    left_bytes_ = std::min(kUdfStepBytesMax, kUdfMetadataBytesMax - metadata_bytes_);
    beyond_end_.reset();
  }

  bool step_failed() const { return error_ || beyond_end_ || left_bytes_ == 0u; }

  /// Whole blocks; how many, 0 for none.
  int read_blocks(std::uint32_t block, std::uint8_t* out, std::uint32_t count) {
    const std::uint64_t wanted = std::uint64_t{count} * UDF_BLOCK_SIZE;
    if (left_bytes_) {
      if (wanted > *left_bytes_) {
        left_bytes_ = 0;
        return 0;
      }
      *left_bytes_ -= wanted;
      metadata_bytes_ += wanted;
    }
    const std::uint64_t offset = std::uint64_t{block} * UDF_BLOCK_SIZE;
    if (error_ || offset >= size_bytes_) {
      beyond_end_ = block;
      return 0;
    }
    auto got = read_(offset, {out, wanted});
    if (!got) {
      error_ = got.error();
      return 0;
    }
    if (*got < wanted) beyond_end_ = block + count - 1;
    return static_cast<int>(*got / UDF_BLOCK_SIZE);
  }

  static int on_read(udfread_block_input* input, std::uint32_t block, void* out,
                     std::uint32_t count, int) {
    return reinterpret_cast<Callbacks*>(input)->self->read_blocks(
        block, static_cast<std::uint8_t*>(out), count);
  }
  static std::uint32_t on_size(udfread_block_input* input) {
    const std::uint64_t blocks =
        reinterpret_cast<Callbacks*>(input)->self->size_bytes_ / UDF_BLOCK_SIZE;
    return static_cast<std::uint32_t>(std::min<std::uint64_t>(blocks, UINT32_MAX));
  }

  const ReadAt& read_;
  const std::uint64_t size_bytes_;
  Callbacks callbacks_;
  std::optional<std::uint64_t> left_bytes_;  ///< of this step; none: a file's own bytes
  std::uint64_t metadata_bytes_ = 0;
  std::optional<std::uint32_t> beyond_end_;
  std::optional<Error> error_;
  std::unique_ptr<udfread, CloseVolume> volume_;  // last: closes before what it reads through
};

namespace {

/// One walk over the folders.
template <class Input>
class UdfWalk {
 public:
  UdfWalk(Input& input, const std::function<Result<void>()>& tick) : input_(input), tick_(tick) {}

  Result<std::vector<UdfFile>> run() {
    const Folder root = input_.root();
    if (root == nullptr) return input_.problem("the top folder");
    if (auto ok = walk(root.get(), "", 0); !ok) return ok.error();
    std::stable_sort(files_.begin(), files_.end(), [](const UdfFile& a, const UdfFile& b) {
      return a.first_block < b.first_block;
    });
    return std::move(files_);
  }

 private:
  Result<void> walk(UDFDIR* folder, const std::string& path, std::size_t depth) {
    if (depth == kUdfDepthMax || ++folders_ > kUdfFoldersMax)
      return fail(Errc::exhausted,
                  "UDF: {}: more than {} folders, or more than {} in each other: damaged, or made "
                  "to be endless",
                  printable(path), kUdfFoldersMax, kUdfDepthMax);
    std::set<std::string> names;
    udfread_dirent entry{};
    while (::udfread_readdir(folder, &entry) != nullptr) {
      if (entry.d_type == UDF_DT_DIR && std::string_view(entry.d_name) == "..") continue;
      const std::string name = entry.d_name;
      if (!is_tree_path(name) || name.find('/') != std::string::npos)
        return fail(Errc::invalid, "path '{}': not one a tree may hold",
                    printable(below(path, name)));
      if (!names.insert(name).second)
        return fail(Errc::mismatch, "UDF: {}: is there twice", printable(below(path, name)));
      if (names.size() > kUdfFilesInFolderMax)
        return fail(Errc::exhausted, "UDF: {}: more than {} files in one folder", printable(path),
                    kUdfFilesInFolderMax);
      if (auto ok = take(folder, entry, below(path, name), name, depth); !ok) return ok.error();
      if (auto ok = tick_(); !ok) return ok.error();
    }
    return {};
  }

  Result<void> take(UDFDIR* folder, const udfread_dirent& entry, const std::string& path,
                    const std::string& name, std::size_t depth) {
    if (!is_tree_path(path))
      return fail(Errc::invalid, "path '{}': not one a tree may hold", printable(path));
    if (entry.d_type == UDF_DT_DIR) {
      const Folder inner = input_.folder_in(folder, name);
      if (inner == nullptr) return input_.problem(printable(path));
      return walk(inner.get(), path, depth + 1);
    }
    const File file = input_.file_in(folder, name);
    if (file == nullptr) return input_.problem(printable(path));
    const std::int64_t size = ::udfread_file_size(file.get());
    if (size < 0 || static_cast<std::uint64_t>(size) > input_.size_bytes())
      return fail(Errc::mismatch, "UDF: {}: truncated: has {} bytes, the whole image {}",
                  printable(path), size, input_.size_bytes());
    if (files_.size() == kUdfFilesMax)
      return fail(Errc::exhausted, "UDF: more than {} files", kUdfFilesMax);
    files_.push_back({path, static_cast<std::uint64_t>(size), ::udfread_file_lba(file.get(), 0)});
    return {};
  }

  Input& input_;
  const std::function<Result<void>()>& tick_;
  std::size_t folders_ = 0;
  std::vector<UdfFile> files_;
};

}  // namespace

Result<bool> announces_udf(const ReadAt& read) {
  bool begun = false;
  std::array<std::uint8_t, 6> head{};
  for (std::size_t i = 0; i < kUdfDescriptorsMax; ++i) {
    auto got = read((kFirstDescriptor + i) * kIsoSectorBytes, head);
    if (!got) return got.error();
    if (*got != head.size()) return false;
    const std::string_view name = as_text(ByteView(head).subspan(1));
    if (name == "BEA01") begun = true;
    if (begun && (name == "NSR02" || name == "NSR03")) return true;
    if (name != "CD001" && name != "BEA01" && name != "BOOT2") return false;
  }
  return false;
}

UdfVolume::UdfVolume() = default;
UdfVolume::~UdfVolume() = default;

Result<std::unique_ptr<UdfVolume>> UdfVolume::open(const ReadAt& read, std::uint64_t size_bytes) {
  auto announced = announces_udf(read);  // the library would say so on stderr
  if (!announced) return announced.error();
  if (!*announced) return fail(Errc::mismatch, "not a UDF image");
  std::unique_ptr<UdfVolume> volume(new UdfVolume());
  volume->input_ = std::make_unique<Input>(read, size_bytes);
  if (auto ok = volume->input_->open(); !ok) return ok.error();
  return volume;
}

Result<std::vector<UdfFile>> UdfVolume::files(const std::function<Result<void>()>& tick) {
  return UdfWalk<Input>(*input_, tick).run();
}

Result<void> UdfVolume::read(const UdfFile& file,
                             const std::function<Result<void>(ByteView)>& push) {
  Folder folder = input_->root();
  std::string_view rest = file.path;
  for (std::size_t slash = rest.find('/'); folder != nullptr && slash != std::string_view::npos;
       slash = rest.find('/')) {
    folder = input_->folder_in(folder.get(), std::string(rest.substr(0, slash)));
    rest.remove_prefix(slash + 1);
  }
  if (folder == nullptr) return input_->problem(printable(file.path));
  const File opened = input_->file_in(folder.get(), std::string(rest));
  if (opened == nullptr || ::udfread_file_size(opened.get()) < 0)
    return input_->problem(printable(file.path));
  input_->begin_bytes();
  const bool placed = file.first_block != 0;
  if (!placed && file.size_bytes > 0 && !is_inline(opened.get()))
    return input_->problem(printable(file.path));
  Bytes piece(std::min<std::uint64_t>(kUdfReadBytes, file.size_bytes));
  for (std::uint64_t left_bytes = file.size_bytes; left_bytes > 0;) {
    const std::size_t wanted = std::min<std::uint64_t>(piece.size(), left_bytes);
    if (placed && !is_placed(opened.get(), file.size_bytes - left_bytes, wanted))
      return input_->problem(printable(file.path));
    const ssize_t got = ::udfread_file_read(opened.get(), piece.data(), wanted);
    if (got <= 0) return input_->problem(printable(file.path));
    if (auto ok = push(ByteView(piece).first(static_cast<std::size_t>(got))); !ok)
      return ok.error();
    left_bytes -= static_cast<std::uint64_t>(got);
  }
  return {};
}

}  // namespace farboot
