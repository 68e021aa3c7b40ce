#include "agent/boot/arguments.h"

#include <algorithm>
#include <array>
#include <vector>

#include <fmt/format.h>

namespace farboot {
namespace {

/// Names of one and the same argument: who gives one of them means all. (`url` is Debian's preseed
/// or Ubuntu's ISO: either way the operator's own comes first.)
constexpr std::array<std::array<std::string_view, 4>, 5> kSynonyms{{
    {"ip", "", "", ""},
    {"BOOTIF", "ksdevice", "", ""},
    {"inst.repo", "repo", "method", "inst.method"},
    {"inst.stage2", "stage2", "", ""},
    {"inst.ks", "ks", "url", "preseed/url"},
}};

std::string_view name_of(std::string_view word) { return word.substr(0, word.find('=')); }

bool same_argument(std::string_view a, std::string_view b) {
  return std::any_of(kSynonyms.begin(), kSynonyms.end(), [&](const auto& names) {
    return std::find(names.begin(), names.end(), a) != names.end() &&
           std::find(names.begin(), names.end(), b) != names.end();
  });
}

class Words {
 public:
  explicit Words(std::string_view own) {
    for (std::size_t at = 0; at < own.size();) {
      at = own.find_first_not_of(' ', at);
      if (at == std::string_view::npos) break;
      const std::size_t end = std::min(own.find(' ', at), own.size());
      own_.push_back(name_of(own.substr(at, end - at)));
      at = end;
    }
  }

  void add(std::string_view word) {
    const std::string_view name = name_of(word);
    for (const std::string_view own : own_)
      if (same_argument(own, name)) return;
    if (!text_.empty()) text_ += ' ';
    text_ += word;
  }
  std::string take() { return std::move(text_); }

 private:
  std::vector<std::string_view> own_;
  std::string text_;
};

std::string bootif(std::string_view mac) {
  std::string word = fmt::format("BOOTIF=01-{}", mac);
  std::replace(word.begin(), word.end(), ':', '-');
  return word;
}

std::string install_url(const Image& image, const ArgumentFacts& facts) {
  if (facts.tree_described || image.facts.repo.empty()) return facts.tree_url;
  return facts.tree_url + "/" + image.facts.repo;
}

void redhat(Words& words, const Image& image, const ArgumentFacts& facts) {
  if (!facts.kickstart_url.empty()) words.add("inst.ks=" + facts.kickstart_url);
  words.add("inst.repo=" + install_url(image, facts));
  if (!image.facts.stage2.empty()) words.add("inst.stage2=" + facts.tree_url);
  words.add("ip=dhcp");
  words.add(bootif(facts.mac));
  if (!facts.kickstart_url.empty()) words.add("inst.ks.sendmac");
}

/// As the guides of CentOS 6 and 7 write it.
void legacy(Words& words, const Image& image, const ArgumentFacts& facts) {
  words.add("ip=dhcp");
  if (!facts.kickstart_url.empty()) words.add("ks=" + facts.kickstart_url);
  words.add("repo=" + install_url(image, facts));
  if (!facts.kickstart_url.empty()) words.add("kssendmac");
  words.add(bootif(facts.mac));
}

void debian(Words& words, const ArgumentFacts& facts) {
  if (!facts.kickstart_url.empty()) {
    words.add("auto=true");
    words.add("priority=critical");
    words.add("url=" + facts.kickstart_url);
    words.add("interface=auto");
    // The installer asks for both before it can fetch anything that would answer.
    words.add("hostname=" + (facts.host_name.empty() ? "unassigned-hostname" : facts.host_name));
    words.add("domain=" + (facts.domain.empty() ? "unassigned-domain" : facts.domain));
  }
  words.add(bootif(facts.mac));
}

void ubuntu(Words& words, const Image& image, const ArgumentFacts& facts) {
  words.add("ip=dhcp");
  if (image.facts.stage2.ends_with(".iso"))
    words.add("url=" + facts.tree_url + "/" + image.facts.stage2);
  if (!facts.kickstart_url.empty()) {
    words.add("autoinstall");
    words.add("ds=nocloud;s=" + facts.kickstart_url + "/");
    words.add("cloud-config-url=/dev/null");
  }
  words.add(bootif(facts.mac));
}

}  // namespace

std::string family_arguments(const Image& image, std::string_view style, const ArgumentFacts& facts,
                             std::string_view own) {
  Words words(own);
  const std::string& family = image.facts.family;
  if (family == "redhat" && style == "legacy") {
    legacy(words, image, facts);
  } else if (family == "redhat") {
    redhat(words, image, facts);
  } else if (family == "debian") {
    debian(words, facts);
  } else if (family == "ubuntu") {
    ubuntu(words, image, facts);
  }
  return words.take();
}

}  // namespace farboot
