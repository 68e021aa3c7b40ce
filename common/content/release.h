// A release: everything a site serves, as one immutable document. JSON with a format version; the
// document's bytes are signed and kept (signature.h), the release's digest is their SHA-256.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "common/base/bytes.h"
#include "common/base/clock.h"
#include "common/base/result.h"
#include "common/content/boot_entry.h"
#include "common/content/digest.h"
#include "common/content/menu.h"

namespace farboot {

inline constexpr std::size_t kReleaseBytesMax = 4u << 20;

/// What import found out about a tree. Paths are relative to the tree's root.
struct ImageFacts {
  std::string
      family;  ///< `redhat`, `debian`, `ubuntu`, `windows`, `other`: chooses kernel arguments
  std::string distro;   ///< `CentOS`, `Rocky`, …, as the tree itself says
  std::string version;  ///< `7`, `9.4`, …
  std::string arch;     ///< `x86_64`, `aarch64`, … (the kernel's word)
  std::string kernel;   ///< path; empty if the tree has no boot files
  std::string initrd;   ///< path
  std::string stage2;   ///< path; empty if the family has none
  std::string repo;     ///< directory the installer is pointed at: it holds .treeinfo, or repodata
                        ///< where there is none; `` = the root
  bool operator==(const ImageFacts&) const = default;
};

/// An OS tree, named for people and fixed by its manifest.
struct Image {
  std::string name;  ///< `centos7`
  std::string tag;   ///< `1708`; name@tag is unique in a release
  Digest manifest;
  ImageFacts facts;
  std::uint64_t size_bytes = 0;
  bool operator==(const Image&) const = default;
};

struct Release {
  static constexpr std::uint32_t kFormat = 1;  // on disk and on wire: never reuse a number

  std::uint64_t number = 0;      ///< 1, 2, …; what people call it: r7
  std::optional<Digest> parent;  ///< digest of the release it was made from
  WallTime created{};
  std::string comment;
  std::vector<Image> images;
  std::vector<BootEntry> entries;
  Menu menu;
  Variables variables;                            ///< fleet-wide
  std::map<std::string, std::string> kickstarts;  ///< template name → text
  std::map<std::string, std::string> menus;       ///< template name → text
  std::map<std::string, std::string> snippets;    ///< partial name → text
  std::optional<Digest>
      loaders;  ///< manifest of boot loaders (paths: `undionly.kpxe`, `snponly.efi`, …)
  std::optional<Digest> assets;  ///< manifest of pictures and scripts served under /a/

  const Image* image(std::string_view name_at_tag) const;
  const BootEntry* entry(std::string_view name) const;
  /// Every manifest it names, each once: images in order, then loaders, then assets.
  std::vector<Digest> manifests() const;
  bool operator==(const Release&) const = default;
};

/// Deterministic: the same release gives the same bytes.
Bytes encode_release(const Release& release);
/// Checks format, sizes, names and that every reference inside resolves. Errors: invalid, with the
/// JSON path of what is wrong (`$.entries[2].image`).
Result<Release> decode_release(ByteView document);

/// One word for names in releases, sites and hosts: [a-z0-9] then up to 62 of [a-z0-9._-].
bool is_name(std::string_view text);

}  // namespace farboot
