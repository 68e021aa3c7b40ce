// Imports through the operator's service: what a cut-off or refused one leaves.
#include <arpa/inet.h>
#include <sys/socket.h>

#include "common/base/unique_fd.h"
#include "tests/controller/api/fleet_service_fixture.h"
#include "tests/controller/import/mirror_server.h"
#include "tests/support/eventually.h"

namespace farboot {
namespace {

constexpr const char* kBigPackage = "Packages/kernel-3.10-1.x86_64.rpm";
constexpr const char* kLastPackage = "Packages/libstdc++-4.8-1.x86_64.rpm";

class MirrorImportTest : public FleetServiceTest {
 protected:
  Result<v1::ImageRecord> import_from(const std::string& url, const std::string& tag = "") {
    v1::ImportImageRequest request;
    request.set_source(url);
    request.set_name("centos7");
    request.set_tag(tag);
    grpc::ClientContext context;
    const auto stream = admin_->ImportImage(&context, request);
    v1::ImportImageEvent event;
    v1::ImageRecord image;
    while (stream->Read(&event))
      if (event.has_image()) image = event.image();
    const auto done = to_result(stream->Finish());
    if (!done) return done.error();
    return image;
  }
  std::uint64_t chunks() { return controller_.content.usage()->chunks; }
};

TEST_F(MirrorImportTest, ARepeatedOneFetchesNothingTwice) {
  MirrorServer server(centos7_tree());
  server.fault(kLastPackage, {.times = 1, .status = 400});
  const auto cut_off = import_from(server.url());
  ASSERT_FALSE(cut_off);
  EXPECT_EQ(cut_off.error().code, Errc::unavailable);
  EXPECT_GT(chunks(), 0u) << "kept for the next attempt";
  const auto image = import_from(server.url());
  ASSERT_TRUE(image) << image.error().what;
  EXPECT_EQ(server.gets_of(kBigPackage), 1u);
  EXPECT_EQ(server.gets_of(kLastPackage), 2u);
  EXPECT_TRUE(std::filesystem::is_empty(controller_.folder / "imports")) << "it has served";
}

TEST_F(MirrorImportTest, ARefusedOneLeavesNothing) {
  TreeFiles tree = centos7_tree();
  tree[kLastPackage][12] ^= 1;
  const MirrorServer mismatch(tree);
  EXPECT_EQ(import_from(mismatch.url()).error().code, Errc::mismatch);
  EXPECT_EQ(chunks(), 0u);
  EXPECT_TRUE(std::filesystem::is_empty(controller_.folder / "imports"));
  tree.erase(kLastPackage);
  const MirrorServer lacking(tree);
  EXPECT_EQ(import_from(lacking.url()).error().code, Errc::mismatch);
  EXPECT_EQ(chunks(), 0u);
}

TEST_F(MirrorImportTest, ARefusedIsoLeavesNothingEither) {
  controller_.add_image("kept", "1");
  const StoreUsage before = *controller_.content.usage();
  ASSERT_GT(before.chunks, 0u);
  const std::string iso = (controller_.folder / "dvd.iso").string();
  write_iso(centos7_tree(), iso);
  const std::string whole = read_file(iso);
  const auto refused = [&](const std::string& bytes) {
    write_file(iso, bytes);
    EXPECT_EQ(import_from(iso).error().code, Errc::mismatch);
    const StoreUsage after = *controller_.content.usage();
    EXPECT_EQ(after.chunks, before.chunks);
    EXPECT_EQ(after.payload_bytes, before.payload_bytes);
    EXPECT_EQ(controller_.images.images()->size(), 1u);
  };
  refused(whole.substr(0, whole.size() - 2048));
  std::string rotten = whole;
  const std::size_t at = whole.find(centos7_tree().at(kLastPackage).substr(500, 64));
  ASSERT_NE(at, std::string::npos);
  rotten[at] = static_cast<char>(rotten[at] ^ 1);
  refused(rotten);
  write_file(iso, whole);
  EXPECT_TRUE(import_from(iso)) << "copied again";
}

TEST_F(MirrorImportTest, OneThatIsRefusedTakesNothingFromOneThatWasCutOff) {
  MirrorServer server(centos7_tree());
  server.fault(kLastPackage, {.times = 1, .status = 400});
  ASSERT_FALSE(import_from(server.url()));
  EXPECT_EQ(import_from((controller_.folder / "nowhere.iso").string()).error().code,
            Errc::not_found);
  const auto image = import_from(server.url());
  ASSERT_TRUE(image) << image.error().what;
  EXPECT_EQ(server.gets_of(kBigPackage), 1u);
}

TEST_F(MirrorImportTest, WhatWasOwedWhenTheControllerEndedIsFreedByTheNext) {
  const Bytes left = to_bytes("of a refused import, while another one ran");
  ASSERT_TRUE(controller_.content.put(sha256(left), left));
  const MirrorServer server(centos7_tree());
  const auto image = import_from(server.url());
  ASSERT_TRUE(image) << image.error().what;
  EXPECT_FALSE(controller_.content.get(sha256(left)));
}

TEST_F(MirrorImportTest, OneThatCouldNotBeRecordedFetchesNothingTwice) {
  const MirrorServer server(centos7_tree());
  Image other;
  other.name = "centos7";
  other.tag = "taken";
  ASSERT_TRUE(controller_.images.add(other, "other", controller_.clock.wall()));
  EXPECT_EQ(import_from(server.url(), "taken").error().code, Errc::conflict);
  const auto image = import_from(server.url(), "free");
  ASSERT_TRUE(image) << image.error().what;
  EXPECT_EQ(server.gets_of(kBigPackage), 1u);
  EXPECT_TRUE(std::filesystem::is_empty(controller_.folder / "imports"));
}

TEST_F(MirrorImportTest, ASourceIsImportedOnceAtATime) {
  // Takes connections and never answers.
  const UniqueFd silent(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in at{};
  at.sin_family = AF_INET;
  at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof at;
  ASSERT_EQ(::bind(silent.get(), reinterpret_cast<const sockaddr*>(&at), size), 0);
  ASSERT_EQ(::listen(silent.get(), 8), 0);
  ASSERT_EQ(::getsockname(silent.get(), reinterpret_cast<sockaddr*>(&at), &size), 0);
  v1::ImportImageRequest request;
  request.set_source(fmt::format("http://127.0.0.1:{}/", ntohs(at.sin_port)));
  request.set_name("centos7");
  grpc::ClientContext context;
  const auto first = admin_->ImportImage(&context, request);
  const auto imports = controller_.folder / "imports";
  ASSERT_TRUE(eventually([&] {
    std::error_code error;
    return std::filesystem::exists(imports) && !std::filesystem::is_empty(imports, error);
  }));
  const auto second = import_from(request.source());
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, Errc::conflict);
  EXPECT_THAT(second.error().what, HasSubstr("is being imported already"));
  EXPECT_FALSE(std::filesystem::is_empty(imports)) << "the journal is the first one's";
  context.TryCancel();
  v1::ImportImageEvent event;
  while (first->Read(&event)) {
  }
  EXPECT_FALSE(first->Finish().ok());
}

TEST_F(MirrorImportTest, OneThatIsNotRepeatedIsGivenUpAfterAWeek) {
  MirrorServer server(centos7_tree());
  server.fault(kLastPackage, {.times = 1, .status = 400});
  ASSERT_FALSE(import_from(server.url()));
  const std::uint64_t left = chunks();
  ASSERT_GT(left, 0u);
  const std::string other = (controller_.folder / "other").string();
  std::filesystem::create_directories(other + "/images/pxeboot");
  std::ofstream(other + "/images/pxeboot/vmlinuz") << "kernel";
  std::ofstream(other + "/images/pxeboot/initrd.img") << "initrd";
  controller_.clock.advance(std::chrono::days(6));
  ASSERT_TRUE(import_from(other, "first"));
  EXPECT_GT(chunks(), left) << "it may still be repeated";
  controller_.clock.advance(std::chrono::days(2));
  ASSERT_TRUE(import_from(other, "second"));
  EXPECT_LT(chunks(), left);
  EXPECT_TRUE(std::filesystem::is_empty(controller_.folder / "imports"));
}

TEST_F(MirrorImportTest, ARepetitionAfterAWeekStillFindsWhatItHad) {
  MirrorServer server(centos7_tree());
  server.fault(kLastPackage, {.times = 1, .status = 400});
  ASSERT_FALSE(import_from(server.url()));
  controller_.clock.advance(std::chrono::days(8));
  ASSERT_TRUE(import_from(server.url()));
  EXPECT_EQ(server.gets_of(kBigPackage), 1u);
}

TEST_F(MirrorImportTest, RemembersNoPassword) {
  const MirrorServer server(centos7_tree());
  const std::string address = server.url().substr(std::string("http://").size());
  const auto image = import_from("http://ada:secret@" + address);
  ASSERT_TRUE(image) << image.error().what;
  EXPECT_EQ(image->source(), "http://" + address);
}

}  // namespace
}  // namespace farboot
