#include "common/rpc/status_map.h"

#include <grpcpp/support/status.h>
#include <gtest/gtest.h>

namespace farboot {
namespace {

constexpr Errc kAll[] = {Errc::invalid,  Errc::not_found, Errc::mismatch,  Errc::corrupt,
                         Errc::conflict, Errc::denied,    Errc::exhausted, Errc::unavailable,
                         Errc::timeout,  Errc::cancelled, Errc::internal};

TEST(StatusMap, EveryCodeComesBackWithItsText) {
  for (const Errc code : kAll) {
    const grpc::Status status = to_grpc({code, "chunk 3fa9: not held"});
    EXPECT_FALSE(status.ok());
    const Error back = to_error(status);
    EXPECT_EQ(back.code, code) << to_string(code);
    EXPECT_EQ(back.what, "chunk 3fa9: not held");
  }
}

TEST(StatusMap, TellsAnAnswerFromGrpcsOwnFailure) {
  EXPECT_TRUE(is_answer(to_grpc({Errc::unavailable, "mirror: HTTP 503"})));
  EXPECT_TRUE(is_answer(grpc::Status::OK));
  EXPECT_FALSE(is_answer({grpc::StatusCode::UNAVAILABLE, "connection refused"}));
}

TEST(StatusMap, UnauthenticatedIsDenied) {
  EXPECT_EQ(to_error({grpc::StatusCode::UNAUTHENTICATED, "x"}).code, Errc::denied);
}

TEST(StatusMap, CutsLongTexts) {
  EXPECT_EQ(to_grpc({Errc::invalid, std::string(10'000, 'x')}).error_message().size(), 2048u);
}

TEST(StatusMap, OkIsNoError) {
  EXPECT_TRUE(to_result(grpc::Status::OK));
  EXPECT_FALSE(to_result({grpc::StatusCode::UNAVAILABLE, "gone"}));
}

}  // namespace
}  // namespace farboot
