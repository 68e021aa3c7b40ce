// `farboot` against a controller of before several sources of boot loaders: by hand, as it spoke.
// And what such a controller has left.
#include <gmock/gmock.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <fstream>

#include "common/rpc/credentials.h"
#include "farboot/v1/fleet.grpc.pb.h"
#include "tests/controller/cli/run_words.h"
#include "tests/support/test_controller.h"

namespace farboot {
namespace {

using ::testing::HasSubstr;

class OlderController final : public v1::FleetService::Service {
 public:
  grpc::Status GetLoaders(grpc::ServerContext*, const v1::GetLoadersRequest*,
                          v1::LoaderSet* out) override {
    if (set_.files().empty()) return {grpc::StatusCode::NOT_FOUND, "no boot loaders"};
    *out = set_;
    return grpc::Status::OK;
  }
  /// Knows `source` only, and takes it in the place of what is there.
  grpc::Status ImportLoaders(grpc::ServerContext*, const v1::ImportLoadersRequest* in,
                             v1::LoaderSet* out) override {
    set_.Clear();
    set_.set_source(in->source());
    set_.add_files("file-of-" + in->source().substr(in->source().rfind('/') + 1));
    *out = set_;
    return grpc::Status::OK;
  }
  std::string file() const { return set_.files().empty() ? "" : set_.files(0); }

 private:
  v1::LoaderSet set_;
};

class OlderControllerTest : public ::testing::Test {
 protected:
  OlderControllerTest() {
    const auto own = newer_.authority->issue_server({"127.0.0.1"});
    grpc::ServerBuilder builder;
    int port = 0;
    builder.AddListeningPort("127.0.0.1:0",
                             server_credentials({newer_.authority->ca_pem(),
                                                 own->certificate.certificate_pem, own->key_pem}),
                             &port);
    builder.RegisterService(&older_);
    server_ = builder.BuildAndStart();
    context_ = newer_.context(Role::operate);
    std::ofstream(context_ / "context.json")
        << fmt::format(R"({{"address": "127.0.0.1:{}"}})", port) << "\n";
  }
  ~OlderControllerTest() override { server_->Shutdown(); }

  std::pair<int, std::string> run(std::vector<std::string> words) {
    return test::run_words(context_, std::move(words));
  }
  std::pair<int, std::string> import(std::vector<std::string> words) {
    words.insert(words.begin(), {"loader", "import"});
    return run(std::move(words));
  }
  TestController newer_;
  OlderController older_;
  std::unique_ptr<grpc::Server> server_;
  std::filesystem::path context_;
};

TEST_F(OlderControllerTest, KeepsTheSetThatItWouldDrop) {
  EXPECT_EQ(import({"/srv/a"}).first, 0) << "what it always did";
  ASSERT_EQ(older_.file(), "file-of-a");
  const std::vector<std::vector<std::string>> all{{"/srv/b", "--add"}, {"/srv/b", "/srv/c"}};
  for (const auto& words : all) {
    const auto [exit, text] = import(words);
    EXPECT_NE(exit, 0);
    EXPECT_THAT(text, HasSubstr("this controller is older"));
    EXPECT_EQ(older_.file(), "file-of-a");
  }
  EXPECT_EQ(import({"/srv/b"}).first, 0) << "that is what was asked for";
  EXPECT_EQ(older_.file(), "file-of-b");
}

TEST_F(OlderControllerTest, IsToldOfSourcesThatItPassedOver) {
  const auto [exit, text] = import({"/srv/a", "/srv/b"});
  EXPECT_EQ(exit, 0);
  EXPECT_THAT(text, HasSubstr("took the first source only"));
}

TEST_F(OlderControllerTest, LeftImagesThatLackTheirIso) {
  context_ = newer_.context(Role::viewer);  // of the newer one
  Image image = newer_.add_image("jammy", "22.04").image;
  image.facts.family = "ubuntu";
  image.facts.kernel = "casper/vmlinuz";
  image.tag = "22.04-old";
  ASSERT_TRUE(newer_.images.add(image, "/srv/jammy.iso", newer_.clock.wall()));
  const auto [exit, text] = run({"image", "show", "jammy@22.04-old"});
  EXPECT_EQ(exit, 0);
  EXPECT_THAT(text, HasSubstr("import the ISO again with another --tag"));
  EXPECT_EQ(run({"image", "show", "jammy@22.04"}).second.find("warning"), std::string::npos);
}

}  // namespace
}  // namespace farboot
