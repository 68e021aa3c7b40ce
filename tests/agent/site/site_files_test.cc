#include "agent/site/site_files.h"

#include <map>
#include <optional>
#include <set>
#include <utility>

#include <gtest/gtest.h>

#include "common/store/memory_state.h"
#include "common/store/memory_store.h"
#include "tests/agent/dhcp/samples.h"
#include "tests/support/site_content.h"

namespace farboot {
namespace {

/// Runs one coroutine to its end on a loop of its own.
template <class T>
T run(Task<T> task) {
  Loop loop;
  std::optional<T> result;
  auto body = [&result](Task<T> inner) -> Task<void> { result.emplace(co_await std::move(inner)); };
  spawn(loop, "test", body(std::move(task)));
  loop.run();
  EXPECT_TRUE(result);
  return std::move(*result);
}

class SiteFilesTest : public ::testing::Test {
 protected:
  SiteFilesTest() { use({}); }
  ~SiteFilesTest() override { disk_.join(); }

  void use(SiteFilesSettings settings) {
    settings.http_port = 8080;
    files_.emplace(
        catalog_, store_, disk_,
        SiteFiles::Scripts{
            .first = [](std::string_view url) { return "chain " + std::string(url); },
            .grub_first = [](std::string_view url) { return "grub " + std::string(url); },
            .grub = [this](GrubAsk asked, std::string client, std::string server,
                           Asking asking) -> Task<Result<std::string>> {
              if (asking == Asking::get) begun_.push_back(asked.entry);
              if (asked.entry == "nobody") co_return fail(Errc::not_found, "no entry");
              co_return asked.facts.mac + ' ' + asked.facts.platform + ' ' + asked.entry + ' ' +
                  client + ' ' + server + (asking == Asking::get ? told_more_ : "");
            }},
        [this](std::string_view client, const CatalogFile& file) {
          fetched_.push_back(std::string(client) + ' ' + file.entry->path);
        },
        std::move(settings));
  }

  Digest tree(const std::map<std::string, std::string>& files) {
    Manifest manifest;
    for (const auto& [path, content] : files) {
      FileEntry entry;
      entry.path = path;
      entry.size_bytes = content.size();
      entry.sha256 = sha256(as_bytes(content));
      entry.chunks = {{entry.sha256, static_cast<std::uint32_t>(content.size())}};
      EXPECT_TRUE(store_.put(entry.sha256, as_bytes(content)));
      manifest.files.push_back(std::move(entry));
    }
    auto digest = put_manifest(store_, manifest);
    EXPECT_TRUE(digest);
    return *digest;
  }
  Digest tree(const std::string& path, const std::string& content) {
    return tree({{path, content}});
  }

  void activate(const Release& release) {
    const SignedDocument document =
        SigningKey::generate().sign(DocumentKind::release, encode_release(release));
    ASSERT_TRUE(catalog_.commit_active(document));
    auto snapshot = load_snapshot(store_, document);
    ASSERT_TRUE(snapshot) << snapshot.error().what;
    catalog_.publish(*snapshot);
  }

  Release release_with_loader() {
    Release release;
    release.number = 1;
    release.loaders = tree("undionly.kpxe", "loader bytes");
    release.assets = tree("bg.png", "picture");
    return release;
  }

  Result<std::unique_ptr<TftpFile>> open(const std::string& path, bool ipxe = false) {
    return run(files_->open(
        path, {.client = Ipv4::of(10, 0, 0, 9), .server = Ipv4::of(10, 0, 0, 2), .ipxe = ipxe}));
  }
  Result<std::string> fetch(const std::string& path, bool ipxe = false) {
    auto file = open(path, ipxe);
    if (!file) return file.error();
    auto bytes = run((*file)->read(0, static_cast<std::size_t>((*file)->size_bytes()) + 10));
    if (!bytes) return bytes.error();
    return std::string(as_text(*bytes));
  }

  MemoryStore store_;
  MemoryState state_;
  DiskPool disk_{1};
  Catalog catalog_{store_, state_};
  std::vector<std::string> fetched_;
  std::vector<std::string> begun_;  ///< entries that GRUB was told, not only asked the size of
  std::string told_more_;           ///< than before it was begun
  std::optional<SiteFiles> files_;
};

TEST_F(SiteFilesTest, AsksClientsToWaitUntilAReleaseIsActive) {
  EXPECT_FALSE(files_->loader_exists("undionly.kpxe"));
  for (const std::string path : {"undionly.kpxe", "boot/grub/x.mod", "a/bg.png", "images/c/x"})
    EXPECT_EQ(fetch(path).error().code, Errc::unavailable) << path;
  EXPECT_EQ(fetch("ks/0123").error().code, Errc::not_found);
  EXPECT_EQ(*fetch("boot.ipxe"), "chain http://10.0.0.2:8080");
}

TEST_F(SiteFilesTest, ServesTheSamePathsAsHttp) {
  const Release release = release_with_loader();
  activate(release);
  EXPECT_TRUE(files_->loader_exists("undionly.kpxe"));
  EXPECT_FALSE(files_->loader_exists("snponly.efi"));
  EXPECT_EQ(*fetch("undionly.kpxe"), "loader bytes");
  EXPECT_EQ(*fetch("a/bg.png"), "picture");
  EXPECT_EQ(*fetch("t/" + release.assets->hex() + "/bg.png"), "picture");
  EXPECT_EQ(fetch("a/none.png").error().code, Errc::not_found);
  EXPECT_EQ(fetch("ks/0123").error().code, Errc::not_found);
}

/// GRUB's prefix and bootmgr's files lie in a folder that machine scripts share.
TEST_F(SiteFilesTest, ServesLoadersBelowBoot) {
  Release release;
  release.number = 1;
  release.loaders = tree("boot/grub/grub.cfg", "menuentry");
  activate(release);
  EXPECT_EQ(*fetch("boot/grub/grub.cfg"), "menuentry");
  EXPECT_EQ(fetch("boot/grub/none.cfg").error().code, Errc::not_found);
  EXPECT_EQ(fetch("boot/52:54:00:aa:bb:cc.ipxe").error().code, Errc::not_found);
}

/// Nothing in a TFTP name is an escape, a query or a fragment.
TEST_F(SiteFilesTest, TakesNamesAsTheyStand) {
  Release release;
  release.number = 1;
  release.assets = tree("50%25 off?#1.efi", "odd");
  activate(release);
  EXPECT_EQ(*fetch("a/50%25 off?#1.efi"), "odd");
  EXPECT_EQ(fetch("a/50%2525 off%3F%231.efi").error().code, Errc::not_found);
}

TEST_F(SiteFilesTest, GivesTheFirstScriptWithTheAddressTheClientReached) {
  activate(release_with_loader());
  EXPECT_EQ(*fetch("boot.ipxe"), "chain http://10.0.0.2:8080");
  EXPECT_EQ(*fetch("autoexec.ipxe"), "chain http://10.0.0.2:8080");
}

TEST_F(SiteFilesTest, GivesGrubItsScripts) {
  EXPECT_EQ(*fetch("grub/grub.cfg"), "grub http://10.0.0.2:8080") << "before any release";
  activate(release_with_loader());
  EXPECT_EQ(*fetch("grub/grub.cfg"), "grub http://10.0.0.2:8080");
  EXPECT_EQ(*fetch("shim/grub.cfg"), "grub http://10.0.0.2:8080");
  const std::string machine = "boot/52:54:00:AA:BB:CC/none/x86_64-efi";
  const std::string who = "52:54:00:aa:bb:cc efi ";
  const auto text = [](std::string file) {
    return file.substr(0, file.find_last_not_of('\n') + 1);
  };
  EXPECT_EQ(text(*fetch(machine + ".grub")), who + " 10.0.0.9 http://10.0.0.2:8080");
  EXPECT_EQ(text(*fetch(machine + "/centos7~again.grub")),
            who + "centos7~again 10.0.0.9 http://10.0.0.2:8080");
  for (const std::string& path :
       {machine + "/nobody.grub", std::string("boot/x/none/x86_64-efi.grub"),
        std::string("grub/x86_64-efi/grub.cfg"), std::string("grub/grub.cfg-01-52-54-00-aa-bb-cc"),
        std::string("grub/grub.cfg-amd64"), std::string("grub/x86_64-efi/command.lst")})
    EXPECT_EQ(fetch(path).error().code, Errc::not_found) << path;
  use({.ignore_case = true});
  EXPECT_EQ(fetch("grub/x86_64-efi/grub.cfg").error().code, Errc::not_found);
}

/// A request may be forged, or only be about the size: reading is what begins an install.
TEST_F(SiteFilesTest, BeginsNothingForGrubBeforeItReads) {
  activate(release_with_loader());
  const std::string path = "boot/52:54:00:AA:BB:CC/none/x86_64-efi/centos7.grub";
  auto file = open(path);
  ASSERT_TRUE(file);
  EXPECT_TRUE((*file)->acts());
  EXPECT_TRUE(begun_.empty());
  const std::uint64_t size = (*file)->size_bytes();
  told_more_ = " of another title";
  const auto first = run((*file)->read(0, 10));
  ASSERT_TRUE(first);
  const auto rest = run((*file)->read(10, static_cast<std::size_t>(size)));
  ASSERT_TRUE(rest);
  EXPECT_EQ(begun_, std::vector<std::string>{"centos7"}) << "once";
  EXPECT_EQ(first->size() + rest->size(), size) << "as the OACK promised";
  EXPECT_NE(as_text(*rest).find("http://10.0.0.2:8080 of another title\n"), std::string::npos);
  file = open(path);
  ASSERT_TRUE(file);
  told_more_ = std::string(10'000, 'x');
  EXPECT_EQ(run((*file)->read(0, 10)).error().code, Errc::unavailable);
}

TEST_F(SiteFilesTest, ReadsFromTheMiddleAndStopsAtTheEnd) {
  activate(release_with_loader());
  auto file = open("undionly.kpxe");
  ASSERT_TRUE(file);
  auto tail = run((*file)->read(7, 100));
  ASSERT_TRUE(tail);
  EXPECT_EQ(as_text(*tail), "bytes");
}

/// Before a client was promised anything; and no "file not found" for a file of the release.
TEST_F(SiteFilesTest, KnowsBeforehandThatAFileCannotBeRead) {
  activate(release_with_loader());
  auto good = open("undionly.kpxe");
  ASSERT_TRUE(good);
  EXPECT_TRUE(run((*good)->prepare()));
  ASSERT_TRUE(store_.rot(sha256(as_bytes(std::string_view("loader bytes")))));
  auto rotten = open("undionly.kpxe");
  ASSERT_TRUE(rotten);
  EXPECT_EQ(run((*rotten)->prepare()).error().code, Errc::corrupt);
  auto fetched_anew = open("undionly.kpxe");
  ASSERT_TRUE(fetched_anew);
  EXPECT_EQ(run((*fetched_anew)->prepare()).error().code, Errc::unavailable);
  EXPECT_EQ(run((*fetched_anew)->read(0, 10)).error().code, Errc::unavailable);
}

TEST_F(SiteFilesTest, PreparesAnEmptyFile) {
  Release release;
  release.number = 1;
  FileEntry entry;
  entry.path = "empty";
  entry.sha256 = sha256({});
  release.loaders = put_manifest(store_, Manifest{{entry}}).value();
  activate(release);
  auto file = open("empty");
  ASSERT_TRUE(file);
  EXPECT_TRUE(run((*file)->prepare()));
}

TEST_F(SiteFilesTest, ServesImagesPinnedAndPreviousTrees) {
  Release first;
  first.number = 1;
  first.images.push_back(sample_image("centos7", "1708", tree("images/pxeboot/vmlinuz", "old")));
  activate(first);
  EXPECT_EQ(*fetch("images/centos7/images/pxeboot/vmlinuz"), "old");
  EXPECT_EQ(*fetch("images/centos7@1708/images/pxeboot/vmlinuz"), "old");
  Release second = first;
  second.number = 2;
  second.images.front().manifest = tree("images/pxeboot/vmlinuz", "new");
  activate(second);
  EXPECT_EQ(*fetch("images/centos7/images/pxeboot/vmlinuz"), "new");
  const std::string old_tree = "t/" + first.images.front().manifest.hex();
  EXPECT_EQ(*fetch(old_tree + "/images/pxeboot/vmlinuz"), "old") << "of the previous release";
  const CatalogFile pinned =
      catalog_.find_tree(first.images.front().manifest, "images/pxeboot/vmlinuz");
  Release third = second;
  third.number = 3;
  third.images.clear();
  catalog_.pin("attempt", first.images.front().manifest, pinned.tree);
  activate(third);
  activate(release_with_loader());
  EXPECT_EQ(*fetch(old_tree + "/images/pxeboot/vmlinuz"), "old") << "pinned";
  catalog_.unpin("attempt");
  EXPECT_EQ(fetch(old_tree + "/images/pxeboot/vmlinuz").error().code, Errc::not_found);
  EXPECT_EQ(fetch("images/centos7/images/pxeboot/vmlinuz").error().code, Errc::not_found);
}

/// Whoever began with one release ends with it, whatever is swept meanwhile.
TEST_F(SiteFilesTest, EndsWithTheReleaseItBeganWith) {
  activate(release_with_loader());
  auto file = open("undionly.kpxe");
  ASSERT_TRUE(file);
  EXPECT_EQ(as_text(*run((*file)->read(0, 6))), "loader");
  for (const std::uint64_t number : {2U, 3U}) {
    Release next;
    next.number = number;
    next.loaders = tree("undionly.kpxe", "another loader, r" + std::to_string(number));
    activate(next);
  }
  std::set<Digest> needed;
  for (const auto& [digest, used] : catalog_.trees_in_use())
    for (const FileEntry& entry : used->files)
      for (const ChunkRef& chunk : entry.chunks) needed.insert(chunk.id);
  ASSERT_TRUE(store_.sweep([&](const Digest& id) { return needed.contains(id); }));
  EXPECT_EQ((*file)->size_bytes(), 12U);
  EXPECT_EQ(as_text(*run((*file)->read(6, 100))), " bytes");
  EXPECT_EQ(*fetch("undionly.kpxe"), "another loader, r3");
}

TEST_F(SiteFilesTest, TellsWhoHasAFile) {
  activate(release_with_loader());
  ASSERT_TRUE(fetch("undionly.kpxe"));
  EXPECT_TRUE(fetched_.empty()) << "read, but the client may have lost it";
  (*open("undionly.kpxe"))->delivered();
  (*open("boot.ipxe"))->delivered();
  (*open("grub/grub.cfg"))->delivered();
  EXPECT_EQ(fetched_, std::vector<std::string>{"10.0.0.9 undionly.kpxe"});
}

TEST_F(SiteFilesTest, FindsFilesInAnyCaseIfToldSo) {
  Release release;
  release.number = 1;
  release.loaders = tree({{"Boot/BCD", "store"}, {"README", "loud"}, {"readme", "quiet"}});
  release.images.push_back(sample_image("winpe", "11", tree("sources/boot.wim", "wim")));
  activate(release);
  EXPECT_EQ(fetch("boot/bcd").error().code, Errc::not_found);
  use({.ignore_case = true});
  EXPECT_EQ(*fetch("boot/bcd"), "store");
  EXPECT_EQ(*fetch("BOOT/BCD"), "store");
  EXPECT_EQ(*fetch("images/winpe/SOURCES/BOOT.WIM"), "wim");
  EXPECT_EQ(*fetch("readme"), "quiet");
  EXPECT_EQ(fetch("ReadMe").error().code, Errc::not_found) << "a guess between two";
  EXPECT_EQ(fetch("images/none/x").error().code, Errc::not_found);
  EXPECT_EQ(fetch("a/x").error().code, Errc::not_found);
  activate(release_with_loader());
  EXPECT_EQ(*fetch("UNDIONLY.KPXE"), "loader bytes");
  EXPECT_EQ(fetch("boot/bcd").error().code, Errc::not_found);
}

TEST_F(SiteFilesTest, GivesIpxeTheScriptInsteadOfItselfIfToldSo) {
  Release release;
  release.number = 1;
  release.loaders = tree({{"grubx64.efi", "grub"}, {"undionly.kpxe", "loader bytes"}});
  activate(release);
  EXPECT_EQ(*fetch("undionly.kpxe", true), "loader bytes");
  use({.script_for_ipxe = true});
  EXPECT_EQ(*fetch("undionly.kpxe", true), "chain http://10.0.0.2:8080");
  EXPECT_EQ(*fetch("undionly.kpxe"), "loader bytes") << "a ROM asks for the loader itself";
  EXPECT_EQ(*fetch("grubx64.efi", true), "grub");
  EXPECT_EQ(fetch("snponly.efi", true).error().code, Errc::not_found);
}

/// A cut-down iPXE that gets the script instead of what our offer named has nothing to run it with.
TEST_F(SiteFilesTest, GivesACutDownIpxeTheLoaderThatOurOfferNames) {
  activate(release_with_loader());
  use({.script_for_ipxe = true});
  const auto offer = dhcp::told(dhcp::answer_to("gpxe_discover", {}, *files_)).packet;
  const std::string server = "tftp://10.77.0.2/";
  ASSERT_TRUE(offer.file.starts_with(server)) << offer.file;
  const auto loader = fetch(offer.file.substr(server.size()), true);
  ASSERT_TRUE(loader) << loader.error().what;
  EXPECT_EQ(*loader, "loader bytes");
  EXPECT_EQ(*fetch("undionly.kpxe", true), "chain http://10.0.0.2:8080") << "a DHCP server's word";
  // An iPXE that came from there looks for its script beside itself.
  EXPECT_EQ(*fetch("full-ipxe/autoexec.ipxe"), "chain http://10.0.0.2:8080");
  EXPECT_EQ(fetch("full-ipxe/none").error().code, Errc::not_found);
}

/// Each Pi asks under its own serial number, and at the root if its first file is not there.
TEST_F(SiteFilesTest, GivesAPiItsFilesUnderItsSerialNumber) {
  Release release;
  release.number = 1;
  release.loaders = tree({{"12345678/config.txt", "of this one"},
                          {"rpi/config.txt", "of all"},
                          {"rpi/overlays/vc4.dtbo", "overlay"},
                          {"rpi/start4.elf", "firmware"}});
  activate(release);
  EXPECT_EQ(*fetch("1a2b3c4d/start4.elf"), "firmware");
  EXPECT_EQ(*fetch("1A2B3C4D/overlays/vc4.dtbo"), "overlay");
  EXPECT_EQ(*fetch("1a2b3c4d/config.txt"), "of all");
  EXPECT_EQ(*fetch("12345678/config.txt"), "of this one") << "the operator's own folder";
  for (const char* path : {"1a2b3c4d/recover4.elf", "start4.elf", "1a2b3c4d", "1a2b3c4/start4.elf",
                           "1a2b3c4dd/start4.elf", "1a2b3c4g/start4.elf", "1a2b3c4d/../x"})
    EXPECT_EQ(fetch(path).error().code, Errc::not_found) << path;
  activate(release_with_loader());
  EXPECT_EQ(fetch("1a2b3c4d/start4.elf").error().code, Errc::not_found) << "no folder rpi/";
}

/// Seen with dnsmasq and shim 16.1: option 67 says shim/shimx64.efi, the header says nothing.
TEST_F(SiteFilesTest, GivesShimItsSecondStageWhereItDoesNotKnowItsFolder) {
  Release release;
  release.number = 1;
  release.loaders = tree({{"mmx64.efi", "own"},
                          {"shim/grubx64.efi", "grub"},
                          {"shim/mmx64.efi", "keys"},
                          {"shim/shimx64.efi", "shim"}});
  activate(release);
  EXPECT_EQ(*fetch("grubx64.efi"), "grub");
  EXPECT_EQ(*fetch("mmx64.efi"), "own") << "what lies there goes first";
  for (const char* path : {"shimx64.efi", "grubaa64.efi", "efi/grubx64.efi", "grub.cfg.efi"})
    EXPECT_EQ(fetch(path).error().code, Errc::not_found) << path;
}

TEST_F(SiteFilesTest, GivesTheSecondStageForAGarbledName) {
  Release release;
  release.number = 1;
  release.loaders = tree({{"efi/grubx64.efi", "grub"}, {"efi/shimx64.efi", "shim"}});
  activate(release);
  EXPECT_EQ(fetch("efi/?USB").error().code, Errc::not_found);
  use({.second_stage = "grubx64.efi"});
  EXPECT_EQ(*fetch("efi/?USB"), "grub");
  EXPECT_EQ(*fetch("efi/rubx64.efi"), "grub");
  EXPECT_EQ(fetch("?USB").error().code, Errc::not_found);
  EXPECT_EQ(fetch("efi/revocations_sbat.efi").error().code, Errc::not_found);
}

TEST(ServerUrl, LeavesOutThePortOnlyWhenItIsTheUsualOne) {
  EXPECT_EQ(server_url(Ipv4::of(10, 4, 0, 2), 80), "http://10.4.0.2");
  EXPECT_EQ(server_url(Ipv4::of(10, 4, 0, 2), 8080), "http://10.4.0.2:8080");
}

}  // namespace
}  // namespace farboot
