#include "common/rpc/grpc_log.h"
#include "tests/controller/api/fleet_service_fixture.h"
#include "tests/support/eventually.h"
#include "tests/support/logged.h"

namespace farboot {
namespace {

TEST_F(FleetServiceTest, SaysWhoItIsAndWhoYouAre) {
  v1::Controller answer;
  const auto done = call(&Stub::GetController, v1::GetControllerRequest(), answer);
  ASSERT_TRUE(done) << done.error().what;
  EXPECT_EQ(answer.version(), "0.1.0-test");
  EXPECT_EQ(answer.ca_fingerprint(), controller_.authority->fingerprint());
  EXPECT_EQ(answer.operator_name(), "ada");
  EXPECT_EQ(answer.operator_role(), "admin");
}

TEST_F(FleetServiceTest, AsksForTheRoleEachCallNeeds) {
  const auto viewer = stub_of(Role::viewer), operate = stub_of(Role::operate);
  v1::ListImagesResponse images;
  EXPECT_TRUE(call(*viewer, &Stub::ListImages, v1::ListImagesRequest(), images));
  v1::HostRecord host;
  EXPECT_EQ(call(*viewer, &Stub::InstallHost, v1::InstallHostRequest(), host).error().code,
            Errc::denied);
  v1::InstallHostRequest install;
  install.set_host("lyon/web1");
  EXPECT_EQ(call(*operate, &Stub::InstallHost, install, host).error().code, Errc::not_found)
      << "allowed, but there is none";
  v1::EnrolmentToken token;
  EXPECT_EQ(call(*operate, &Stub::CreateEnrolmentToken, v1::CreateEnrolmentTokenRequest(), token)
                .error()
                .code,
            Errc::denied);
}

TEST_F(FleetServiceTest, RefusesWhoIsNoOperator) {
  v1::ListImagesResponse images;
  const auto nobody = stub_of(Credentials{controller_.authority->ca_pem(), "", ""});
  EXPECT_EQ(call(*nobody, &Stub::ListImages, v1::ListImagesRequest(), images).error().code,
            Errc::denied);
  const auto certificate =
      controller_.authority->issue_agent(controller_.identity.csr_pem(), "lyon", "pi1");
  ASSERT_TRUE(certificate);
  const auto agent =
      stub_of(Credentials{controller_.authority->ca_pem(), certificate->certificate_pem,
                          controller_.identity.to_pem()});
  EXPECT_EQ(call(*agent, &Stub::ListImages, v1::ListImagesRequest(), images).error().code,
            Errc::denied);
}

TEST_F(FleetServiceTest, AFloodOfStrangersIsNotWritten) {
  const auto nobody = stub_of(Credentials{controller_.authority->ca_pem(), "", ""});
  v1::ListImagesResponse images;
  testing::Logged logged;
  for (int i = 0; i < 80; ++i)
    EXPECT_EQ(call(*nobody, &Stub::ListImages, v1::ListImagesRequest(), images).error().code,
              Errc::denied);
  EXPECT_EQ(testing::Logged::count(logged.take(), "api.denied"), 60) << "a burst; no time passes";
}

TEST_F(FleetServiceTest, RefusesACertificateOfAnotherAuthority) {
  TestController other;
  v1::ListImagesResponse images;
  Credentials foreign = other.operator_credentials(Role::admin);
  foreign.ca_pem = controller_.authority->ca_pem();
  take_over_grpc_log();
  const std::uint64_t before = handshakes_refused();
  EXPECT_EQ(
      call(*stub_of(foreign), &Stub::ListImages, v1::ListImagesRequest(), images).error().code,
      Errc::unavailable)
      << "no TLS, so nobody answers";
  EXPECT_TRUE(eventually([&] { return handshakes_refused() > before; }));
  const auto own = stub_of(controller_.operator_credentials(Role::admin));
  EXPECT_TRUE(call(*own, &Stub::ListImages, v1::ListImagesRequest(), images));
}

TEST_F(FleetServiceTest, AnOperatorRefusesAControllerOfAnotherAuthority) {
  // It would let the operator in: nothing but the operator's own check keeps them apart.
  TempFolder folder;
  const auto other = Authority::open(folder / "ca", controller_.clock);
  ASSERT_TRUE(other) << other.error().what;
  controller_.add_image("centos7", "1708");
  Credentials own = controller_.operator_credentials(Role::admin);
  const auto remove = [&](const std::string& ca_pem) {
    own.ca_pem = ca_pem;
    v1::RemoveImageRequest request;
    request.set_image("centos7");
    v1::RemoveImageResponse answer;
    return call(*stub_of(own), &Stub::RemoveImage, request, answer);
  };
  take_over_grpc_log();
  const std::uint64_t before = handshakes_refused();
  EXPECT_EQ(remove((*other)->ca_pem()).error().code, Errc::unavailable);
  EXPECT_TRUE(eventually([&] { return handshakes_refused() > before; }));
  EXPECT_EQ(controller_.images.images()->size(), 1u) << "it was not even asked";
  EXPECT_TRUE(remove(controller_.authority->ca_pem()));
  EXPECT_TRUE(controller_.images.images()->empty());
}

TEST_F(FleetServiceTest, AppliesAFleetThatComesInParts) {
  controller_.add_image("centos7", "1708");
  v1::FleetSpec first = spec(), second;
  second.mutable_sites()->Swap(first.mutable_sites());
  add_asset(first, "bg.png", "picture");
  first.mutable_menu()->set_picture("bg.png");
  const auto applied = apply({first, second, piece("picture")});
  ASSERT_TRUE(applied) << applied.error().what;
  EXPECT_TRUE(applied->new_release());
  EXPECT_EQ(applied->release().number(), 1u);
  EXPECT_THAT(applied->release().images(), ElementsAre("centos7@1708"));
  EXPECT_EQ(applied->diff().sites_size(), 2);
  EXPECT_EQ(controller_.fleet.desired("lyon")->hosts[0].install_order, 1u);
  const auto again = apply({first, second, piece("picture")});
  ASSERT_TRUE(again);
  EXPECT_FALSE(again->new_release());

  v1::ReleaseRecord release;
  ASSERT_TRUE(call(&Stub::GetRelease, v1::GetReleaseRequest(), release));
  EXPECT_EQ(release.number(), 1u);
  const auto decoded = decode_release(as_bytes(release.document()));
  ASSERT_TRUE(decoded);
  EXPECT_EQ(decoded->kickstarts.at("base"), "text\nreboot\n");
  v1::ListReleasesResponse releases;
  ASSERT_TRUE(call(&Stub::ListReleases, v1::ListReleasesRequest(), releases));
  EXPECT_EQ(releases.releases_size(), 1);
}

TEST_F(FleetServiceTest, TakesNoPieceThatBelongsToNothing) {
  controller_.add_image("centos7", "1708");
  v1::FleetSpec with = spec();
  add_asset(with, "bg.png", "picture");
  const auto other = apply({with, piece("another picture")});
  ASSERT_FALSE(other);
  EXPECT_EQ(other.error().code, Errc::mismatch);
  EXPECT_FALSE(apply({with})) << "the picture never came";
  EXPECT_FALSE(*controller_.releases.newest());
  const auto late = apply({with, piece("picture"), spec()});
  EXPECT_EQ(late.error().code, Errc::invalid);
}

TEST_F(FleetServiceTest, StoresNoPieceOfAFleetThatIsWrong) {
  v1::FleetSpec with = spec();  // its image is not imported
  add_asset(with, "bg.png", "picture");
  EXPECT_EQ(apply({with, piece("picture")}).error().code, Errc::not_found);
  EXPECT_EQ(controller_.content.usage()->chunks, 0u);
}

TEST_F(FleetServiceTest, RefusesAFleetOfNonsense) {
  controller_.add_image("centos7", "1708");
  v1::FleetSpec climbing = spec();
  add_asset(climbing, "../etc/passwd", "x");
  EXPECT_EQ(apply({climbing, piece("x")}).error().code, Errc::invalid);
  v1::FleetSpec twice = spec();
  add_asset(twice, "a", "x");
  add_asset(twice, "a", "x");
  EXPECT_EQ(apply({twice, piece("x")}).error().code, Errc::invalid);
  v1::FleetSpec kind = spec();
  kind.mutable_entries(0)->set_kind(v1::ENTRY_KIND_UNSPECIFIED);
  EXPECT_EQ(apply({kind}).error().code, Errc::invalid);
  v1::FleetSpec picture = spec();
  picture.mutable_menu()->set_picture("nowhere.png");
  EXPECT_EQ(apply({picture}).error().code, Errc::invalid);
  v1::FleetSpec name = spec();
  name.mutable_sites(0)->set_name("../lyon");
  EXPECT_EQ(apply({name}).error().code, Errc::invalid);
  EXPECT_FALSE(*controller_.releases.newest());
  EXPECT_TRUE(controller_.fleet.sites()->empty());
}

TEST_F(FleetServiceTest, DiffsWithoutStoring) {
  controller_.add_image("centos7", "1708");
  grpc::ClientContext context;
  v1::FleetDiff diff;
  const auto writer = admin_->DiffFleet(&context, &diff);
  ASSERT_TRUE(writer->Write(spec()));
  writer->WritesDone();
  ASSERT_TRUE(writer->Finish().ok());
  EXPECT_EQ(diff.newest_release(), 0u);
  EXPECT_EQ(diff.release_size(), 4);
  EXPECT_EQ(diff.release(0).what(), "entry");
  EXPECT_EQ(diff.release(0).kind(), v1::CHANGE_KIND_ADDED);
  EXPECT_FALSE(*controller_.releases.newest());
}

TEST_F(FleetServiceTest, TellsTheStatusThoughTheNewestReleaseWasChanged) {
  controller_.add_image("centos7", "1708");
  ASSERT_TRUE(apply({spec()}));
  const StateEntry stored = controller_.state.scan("release/")->front();
  std::string changed = stored.value;
  changed.replace(changed.find("centos7"), 7, "centos8");
  ASSERT_TRUE(controller_.state.put(stored.key, changed));
  v1::FleetStatus status;
  const auto told = call(&Stub::GetStatus, v1::GetStatusRequest(), status);
  ASSERT_TRUE(told) << told.error().what;
  EXPECT_EQ(status.newest_release(), 1u);
  EXPECT_EQ(status.refusals().releases(), 0u) << "nobody asked for it yet";
  v1::StartRolloutRequest request;
  request.set_release("r1");
  request.add_waves()->add_selectors("all");
  v1::Rollout rollout;
  EXPECT_EQ(call(&Stub::StartRollout, request, rollout).error().code, Errc::corrupt);
  ASSERT_TRUE(call(&Stub::GetStatus, v1::GetStatusRequest(), status));
  EXPECT_EQ(status.refusals().releases(), 1u);
}

TEST_F(FleetServiceTest, RemovesAnImageOnlyWhenNothingNeedsIt) {
  controller_.add_image("centos7", "1708");
  controller_.add_image("rocky9", "9.4");
  ASSERT_TRUE(apply({spec()}));
  v1::RemoveImageRequest request;
  v1::RemoveImageResponse answer;
  request.set_image("centos7");
  const auto refused = call(&Stub::RemoveImage, request, answer);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Errc::conflict);
  EXPECT_THAT(refused.error().what, HasSubstr("the newest release r1 names it"));
  request.set_image("rocky9");
  const auto removed = call(&Stub::RemoveImage, request, answer);
  ASSERT_TRUE(removed) << removed.error().what;
  EXPECT_GT(answer.freed_bytes(), 0u);
  EXPECT_FALSE(answer.deferred());
  EXPECT_EQ(call(&Stub::RemoveImage, request, answer).error().code, Errc::not_found);

  const auto image = controller_.images.find("centos7");
  const Digest r1 = (*controller_.releases.newest())->digest;
  Transaction transaction;
  ASSERT_TRUE(controller_.fleet.order_releases(transaction, "lyon", {std::nullopt, r1}));
  ASSERT_TRUE(controller_.state.commit(transaction));
  v1::FleetSpec without = spec();
  without.clear_entries();
  without.mutable_menu()->clear_entries();
  without.mutable_sites(0)->clear_hosts();
  ASSERT_TRUE(apply({without}));
  request.set_image("centos7");
  EXPECT_THAT(call(&Stub::RemoveImage, request, answer).error().what, HasSubstr("lyon"));
  EXPECT_TRUE(get_manifest(controller_.content, image->image.manifest));
}

TEST_F(FleetServiceTest, ImportsADirectoryWithProgress) {
  TempFolder tree;
  std::filesystem::create_directories(tree / "images/pxeboot");
  std::ofstream(tree / "images/pxeboot/vmlinuz") << std::string(60'000, 'k');
  std::ofstream(tree / "images/pxeboot/initrd.img") << std::string(40'000, 'i');
  v1::ImportImageRequest request;
  request.set_source(tree.path().string());
  request.set_name("files");
  request.set_tag("1");
  grpc::ClientContext context;
  const auto stream = admin_->ImportImage(&context, request);
  v1::ImportImageEvent event, last;
  while (stream->Read(&event)) last = event;
  const auto done = to_result(stream->Finish());
  ASSERT_TRUE(done) << done.error().what;
  ASSERT_TRUE(last.has_image());
  EXPECT_EQ(last.image().size_bytes(), 100'000u);
  v1::ListImagesResponse images;
  ASSERT_TRUE(call(&Stub::ListImages, v1::ListImagesRequest(), images));
  EXPECT_EQ(images.images_size(), 1);
}

TEST_F(FleetServiceTest, RecordsNoImageThatCouldNotBeRead) {
  v1::ImportImageRequest request;
  request.set_source((controller_.folder / "nowhere.iso").string());
  request.set_name("files");
  request.set_tag("1");
  const auto import = [&] {
    grpc::ClientContext context;
    const auto stream = admin_->ImportImage(&context, request);
    v1::ImportImageEvent event;
    while (stream->Read(&event)) {
    }
    return to_result(stream->Finish());
  };
  EXPECT_EQ(import().error().code, Errc::not_found);
  request.set_name("../x");
  EXPECT_EQ(import().error().code, Errc::invalid);
  request.set_name("files");
  request.set_sha256("abc");
  EXPECT_EQ(import().error().code, Errc::invalid);
  EXPECT_TRUE(controller_.images.images()->empty());
}

}  // namespace
}  // namespace farboot
