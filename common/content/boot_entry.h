// What a machine can be told to boot, as a release says it. Pure.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace farboot {

using Variables = std::map<std::string, std::string>;

enum class EntryKind : std::uint8_t {
  install,
  tool,
  winpe,
  shell,
  local
};

/// `install`, `tool`, `winpe`, `shell`, `local`. On disk and on wire: never change.
std::string_view entry_kind_name(EntryKind kind);
std::optional<EntryKind> entry_kind(std::string_view name);

/// True for what may write to a disk: it needs an order or a person's choice.
constexpr bool installs(EntryKind kind) {
  return kind == EntryKind::install || kind == EntryKind::winpe;
}

/// Where a file of an entry lies. As text, on disk and on wire: `assets/PATH`, `loaders/PATH`, or
/// `image/PATH` in the entry's own tree.
struct FileSource {
  enum class In : std::uint8_t {
    assets,
    loaders,
    image
  };
  In in = In::assets;
  std::string path;  ///< is_tree_path()
  bool operator==(const FileSource&) const = default;
};
std::optional<FileSource> file_source(std::string_view text);

/// A file that differs by platform: its source's text by the platform's name.
using FileSources = std::map<std::string, std::string>;
/// On disk and on wire: never rename. `efi`: UEFI x86_64; `efi32`: UEFI i386; `arm64`: UEFI arm64;
/// `any`: whatever has none of its own.
inline constexpr std::array<std::string_view, 5> kPlatforms{"any", "bios", "efi", "efi32", "arm64"};
bool is_platform(std::string_view name);
/// nullopt: there is none for this platform. `platform`: one of kPlatforms; `any` if not known.
std::optional<FileSource> source_for(const FileSources& sources, std::string_view platform);

/// What a file may be called in the machine: at most 128 letters, digits and `._/+=-`, with single
/// blanks between words. (iPXE reads more than one word as a name and its cpio options.)
bool is_boot_file_name(std::string_view text);

struct BootEntry {
  std::string name;   ///< one word; the iPXE label
  std::string title;  ///< for people
  EntryKind kind = EntryKind::install;
  std::string image;      ///< `name@tag`, resolved; empty for shell and local
  std::string kickstart;  ///< name of a kickstart template; empty for none
  std::string args;       ///< kernel arguments, a template; added to those of the family
  std::string
      args_style;  ///< `inst` (default) or `legacy`: CentOS 7 as the old guides write it, ks=/repo=
  std::string key;  ///< menu hot key, one character, or empty
  Variables variables;
  /// Of a tool: what is started instead of its image's kernel; a disc image (.iso, .img) is booted
  /// as a disc.
  FileSources boot;
  /// Of a tool or WinPE: what is loaded beside it, by its name in the machine.
  std::map<std::string, FileSources> files;
  bool operator==(const BootEntry&) const = default;
};

}  // namespace farboot
