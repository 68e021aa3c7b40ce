#include "agent/host/attempt.h"

#include <algorithm>
#include <array>
#include <set>

#include <openssl/rand.h>

#include "agent/host/json_read.h"
#include "common/template/template.h"

namespace farboot {
namespace {

constexpr std::uint64_t kAttemptFormat = 1;  // on disk: never reuse a number
constexpr std::size_t kTokenBytes = 16;

/// Names of the snippets that `text` includes, and theirs.
void collect_snippets(const Release& release, std::string_view text, std::set<std::string>& names) {
  auto tags = template_tags(text);
  if (!tags) return;  // rendering says so, with the line
  for (const TemplateTag& tag : *tags) {
    if (tag.kind != TemplateTag::Kind::partial || names.contains(tag.name)) continue;
    const auto snippet = release.snippets.find(tag.name);
    if (snippet == release.snippets.end()) continue;
    names.insert(tag.name);
    collect_snippets(release, snippet->second, names);
  }
}

std::string_view kickstart_text(const Release& release, const BootEntry& entry) {
  const auto found = release.kickstarts.find(entry.kickstart);
  return found == release.kickstarts.end() ? std::string_view() : found->second;
}

/// True if the installer fetches its packages from the tree one by one, or its second stage: what
/// it came to can be seen by that.
bool is_seen(const Image& image, std::uint32_t packages) {
  const std::string& family = image.facts.family;
  if (family == "redhat") return packages > 0 || !image.facts.stage2.empty();
  return family == "debian" && packages > 0;
}

bool mentions(std::string_view text, std::string_view name) {
  auto tags = template_tags(text);
  return tags && std::any_of(tags->begin(), tags->end(), [&](const TemplateTag& tag) {
           return tag.kind == TemplateTag::Kind::value && tag.name == name;
         });
}

}  // namespace

Result<std::string> make_token() {
  std::array<unsigned char, kTokenBytes> bytes{};
  if (RAND_bytes(bytes.data(), static_cast<int>(bytes.size())) != 1)
    return fail(Errc::internal, "attempt: no random bytes");
  return to_hex(bytes);
}

bool is_token(std::string_view text) {
  return text.size() == 2 * kTokenBytes && std::all_of(text.begin(), text.end(), [](char c) {
           return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
         });
}

Release release_part(const Release& release, std::string_view entry_name) {
  Release part;
  part.number = release.number;
  part.created = release.created;
  part.variables = release.variables;
  const BootEntry* entry = release.entry(entry_name);
  if (entry == nullptr) return part;
  part.entries.push_back(*entry);
  if (const Image* image = release.image(entry->image)) part.images.push_back(*image);
  const auto uses = [&](FileSource::In in) {
    const auto any = [&](const FileSources& sources) {
      return std::any_of(sources.begin(), sources.end(), [&](const auto& each) {
        const auto source = file_source(each.second);
        return source && source->in == in;
      });
    };
    return any(entry->boot) || std::any_of(entry->files.begin(), entry->files.end(),
                                           [&](const auto& file) { return any(file.second); });
  };
  if (uses(FileSource::In::assets)) part.assets = release.assets;
  if (uses(FileSource::In::loaders)) part.loaders = release.loaders;
  std::set<std::string> snippets;
  collect_snippets(release, entry->args, snippets);
  if (const auto kickstart = release.kickstarts.find(entry->kickstart);
      kickstart != release.kickstarts.end()) {
    part.kickstarts.insert(*kickstart);
    collect_snippets(release, kickstart->second, snippets);
  }
  for (const std::string& name : snippets) part.snippets.emplace(name, release.snippets.at(name));
  return part;
}

AttemptTraits traits_of(const Release& release, const BootEntry& entry, const Manifest* tree) {
  AttemptTraits traits;
  traits.has_kickstart = !entry.kickstart.empty();
  const Release part = release_part(release, entry.name);
  traits.reports =
      mentions(kickstart_text(part, entry), "event.url") || mentions(entry.args, "event.url");
  for (const auto& [name, text] : part.snippets) traits.reports |= mentions(text, "event.url");
  if (tree != nullptr)
    traits.packages_total = static_cast<std::uint32_t>(
        std::count_if(tree->files.begin(), tree->files.end(),
                      [](const FileEntry& file) { return is_package(file.path); }));
  const Image* image = release.image(entry.image);
  traits.unseen = image == nullptr || !is_seen(*image, traits.packages_total);
  return traits;
}

bool is_package(std::string_view path) { return path.ends_with(".rpm") || path.ends_with(".deb"); }

std::vector<Digest> Attempt::trees() const { return part.manifests(); }

std::string encode_attempt(const Attempt& attempt) {
  const Bytes part = encode_release(attempt.part);
  json_read::Json json{{"format", kAttemptFormat},
                       {"token", attempt.token},
                       {"mac", attempt.mac},
                       {"uuid", attempt.uuid},
                       {"serial", attempt.serial},
                       {"entry", attempt.entry},
                       {"release", attempt.release.hex()},
                       {"manifest", attempt.manifest.hex()},
                       {"part", as_text(part)},
                       {"began", attempt.began.time_since_epoch().count()},
                       {"has_kickstart", attempt.traits.has_kickstart},
                       {"reports", attempt.traits.reports},
                       {"packages_total", attempt.traits.packages_total},
                       {"unseen", attempt.traits.unseen},
                       {"site", attempt.site.name},
                       {"site_variables", attempt.site.variables},
                       {"host", attempt.host.name},
                       {"host_variables", attempt.host.variables}};
  return json_read::dump(json);
}

Result<Attempt> decode_attempt(std::string_view text) {
  const auto json = json_read::object(text);
  if (json_read::number(json, "format") != kAttemptFormat)
    return fail(Errc::corrupt, "attempt: not a record of format {}", kAttemptFormat);
  Attempt attempt;
  attempt.token = json_read::text(json, "token");
  if (!is_token(attempt.token)) return fail(Errc::corrupt, "attempt: no token");
  auto mac = normalise_mac(json_read::text(json, "mac"));
  if (!mac) return fail(Errc::corrupt, "attempt: {}", mac.error().what);
  attempt.mac = *mac;
  attempt.uuid = json_read::text(json, "uuid");
  attempt.serial = json_read::text(json, "serial");
  attempt.entry = json_read::text(json, "entry");
  auto release = Digest::from_hex(json_read::text(json, "release"));
  auto manifest = Digest::from_hex(json_read::text(json, "manifest"));
  if (!release || !manifest) return fail(Errc::corrupt, "attempt: no digests");
  attempt.release = *release;
  attempt.manifest = *manifest;
  auto part = decode_release(as_bytes(json_read::text(json, "part")));
  if (!part) return fail(Errc::corrupt, "attempt: {}", part.error().what);
  attempt.part = std::move(*part);
  if (attempt.part.entry(attempt.entry) == nullptr)
    return fail(Errc::corrupt, "attempt: its release lacks entry {}", attempt.entry);
  attempt.began = json_read::time(json, "began");
  attempt.traits.has_kickstart = json_read::flag(json, "has_kickstart");
  attempt.traits.reports = json_read::flag(json, "reports");
  attempt.traits.packages_total =
      static_cast<std::uint32_t>(json_read::number(json, "packages_total"));
  attempt.traits.unseen = json_read::flag(json, "unseen");
  attempt.site = {json_read::text(json, "site"), json_read::pairs(json, "site_variables")};
  attempt.host.name = json_read::text(json, "host");
  attempt.host.variables = json_read::pairs(json, "host_variables");
  return attempt;
}

}  // namespace farboot
