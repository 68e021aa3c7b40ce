// What any client may ask of the server, over both stores.
#include <gmock/gmock.h>

#include "agent/http/conditional.h"
#include "agent/http/server.h"
#include "tests/agent/http/live_site.h"

namespace farboot {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

std::string text_of(const Bytes& bytes) { return std::string(as_text(bytes)); }

class Serving : public ::testing::TestWithParam<StoreKind> {
 protected:
  Serving() : live_(GetParam()) {
    const std::map<std::string, Bytes> files{{".treeinfo", to_bytes("[general]\nversion = 7\n")},
                                             {"Packages/libstdc++-4.8.rpm", sample_bytes(900, 1)},
                                             {"dir with blank/x", sample_bytes(10, 2)},
                                             {"empty", {}},
                                             {"images/install.img", big_},
                                             {"images/middle.bin", sample_bytes(300'000, 5)},
                                             {"images/pxeboot/vmlinuz", small_}};
    Release release;
    release.number = 7;
    release.created = kCreated;
    const Digest tree = keep_tree(live_.store(), files);
    release.images.push_back(sample_image("centos7", "1708", tree));
    release.loaders = keep_tree(live_.store(), {{"undionly.kpxe", sample_bytes(70'000, 3)},
                                                {"snponly.efi", sample_bytes(500, 3)}});
    release.assets = keep_tree(live_.store(), {{"bg.png", sample_bytes(2000, 4)}});
    live_.activate(release);
    live_.start();
    base_ = "/t/" + tree.hex();
    client_ = std::make_unique<RawClient>(live_.port());
  }

  std::string part(std::size_t first, std::size_t last) const {
    return text_of(big_).substr(first, last - first + 1);
  }
  std::vector<std::string> fetches() {
    live_.on_loop([] {});  // after whatever the loop was at
    return live_.site().fetches.with([](auto& all) { return all; });
  }

  static constexpr WallTime kCreated{Seconds(1'784'111'777)};
  const Bytes big_ = sample_bytes(3 * kChunkBytesMax + 12'345, 11);
  const Bytes small_ = sample_bytes(5000, 12);
  LiveSite live_;
  std::string base_;
  std::unique_ptr<RawClient> client_;
};

INSTANTIATE_TEST_SUITE_P(Stores, Serving, ::testing::Values(StoreKind::memory, StoreKind::packs),
                         [](const auto& param) {
                           return param.param == StoreKind::memory ? "Memory" : "Packs";
                         });

TEST_P(Serving, SendsFilesWholeWithTheHeadersOfTheBook) {
  for (const auto& [path, bytes] :
       {std::pair{"/images/install.img", big_}, std::pair{"/images/pxeboot/vmlinuz", small_}}) {
    const Answer answer = client_->get(base_ + path, "Accept-Encoding: gzip\r\n");
    EXPECT_EQ(answer.head.substr(0, 17), "HTTP/1.1 200 OK\r\n");
    EXPECT_EQ(answer.header("Content-Length"), std::to_string(bytes.size()));
    EXPECT_EQ(answer.header("ETag"), '"' + sha256(bytes).hex() + '"');
    EXPECT_EQ(answer.header("Last-Modified"), http_date(kCreated));
    EXPECT_EQ(answer.header("Accept-Ranges"), "bytes");
    EXPECT_TRUE(parse_http_date(answer.header("Date")));
    EXPECT_EQ(answer.headers.count("Transfer-Encoding"), 0u);
    EXPECT_EQ(answer.headers.count("Content-Encoding"), 0u);
    EXPECT_EQ(sha256(as_bytes(answer.body)), sha256(bytes));
  }
}

TEST_P(Serving, FindsFilesByEveryWayToWriteTheirPath) {
  const std::string plus = base_ + "/Packages/libstdc++-4.8.rpm";
  for (const std::string& path :
       {plus, base_ + "//Packages//libstdc++-4.8.rpm", base_ + "/Packages/libstdc%2B%2b-4.8.rpm",
        base_ + "/Packages/../Packages/./libstdc++-4.8.rpm", "http://other:99" + plus,
        plus + "?anything=1", std::string("/images/centos7/Packages/libstdc++-4.8.rpm"),
        std::string("/images/centos7@1708//Packages/libstdc++-4.8.rpm")}) {
    const Answer answer = client_->get(path);
    EXPECT_EQ(answer.status, 200) << path;
    EXPECT_EQ(answer.body.size(), 900u) << path;
  }
  EXPECT_EQ(client_->get(base_ + "/dir%20with%20blank/x").status, 200);
  EXPECT_EQ(client_->get(base_ + "/.treeinfo").body, "[general]\nversion = 7\n");
  EXPECT_EQ(client_->get("/undionly.kpxe").body.size(), 70'000u);
  EXPECT_EQ(client_->get("/a/bg.png").body.size(), 2000u);
}

TEST_P(Serving, SaysNotFoundAtOnceAndGoesOn) {
  for (const std::string& path :
       {base_ + "/images/updates.img", base_ + "/images", base_ + "/images/", base_,
        base_ + "/IMAGES/install.img", base_ + "/dir+with+blank/x", std::string("/../etc/passwd"),
        base_ + "/../../../etc/passwd", "/t/" + std::string(64, '0') + "/x",
        std::string("/images/centos8/.treeinfo"), std::string("/nothing")}) {
    const Answer answer = client_->get(path);
    EXPECT_EQ(answer.status, 404) << path;
    EXPECT_EQ(answer.body, "404 Not Found\n");
  }
  EXPECT_EQ(client_->get(base_ + "/.treeinfo").status, 200) << "on the same connection";
}

TEST_P(Serving, HeadHasTheHeadersOfGetAndNoBody) {
  Answer get = client_->get(base_ + "/images/install.img");
  Answer head = client_->head(base_ + "/images/install.img");
  get.headers.erase("Date");
  head.headers.erase("Date");
  EXPECT_EQ(head.headers, get.headers);
  EXPECT_EQ(client_->head(base_ + "/nothing").status, 404);
  EXPECT_EQ(client_->get(base_ + "/.treeinfo").status, 200) << "nothing lies between";
}

TEST_P(Serving, SendsAnEmptyFile) {
  const Answer answer = client_->get(base_ + "/empty");
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.header("Content-Length"), "0");
  EXPECT_EQ(client_->get(base_ + "/empty", "Range: bytes=0-\r\n").status, 416);
}

TEST_P(Serving, SendsSingleRanges) {
  const std::size_t size = big_.size();
  const std::tuple<std::string, std::size_t, std::size_t> cases[] = {
      {"bytes=0-0", 0, 0},
      {"bytes=1048575-1048576", 1048575, 1048576},
      {"bytes=2000000-", 2000000, size - 1},
      {"bytes=-500", size - 500, size - 1},
      {"bytes=100-999999999", 100, size - 1},
      {"bytes=-999999999", 0, size - 1},
  };
  for (const auto& [range, first, last] : cases) {
    const Answer answer = client_->get(base_ + "/images/install.img", "Range: " + range + "\r\n");
    EXPECT_EQ(answer.status, 206) << range;
    EXPECT_EQ(answer.header("Content-Range"), fmt::format("bytes {}-{}/{}", first, last, size));
    EXPECT_TRUE(answer.whole);
    EXPECT_TRUE(answer.body == part(first, last)) << range;
  }
}

TEST_P(Serving, IgnoresRangesItDoesNotUnderstandAndRefusesThoseBeyondTheEnd) {
  const std::string path = base_ + "/images/pxeboot/vmlinuz";
  for (const auto* range : {"bytes=5-2", "items=0-1", "bytes=x-y", "bytes"}) {
    const Answer answer = client_->get(path, std::string("Range: ") + range + "\r\n");
    EXPECT_EQ(answer.status, 200) << range;
    EXPECT_EQ(answer.body, text_of(small_));
  }
  const Answer beyond = client_->get(path, "Range: bytes=5000-\r\n");
  EXPECT_EQ(beyond.status, 416);
  EXPECT_EQ(beyond.header("Content-Range"), "bytes */5000");
  EXPECT_EQ(client_->head(path, "Range: bytes=0-1\r\n").header("Content-Length"), "5000");
}

TEST_P(Serving, SendsSeveralRangesAsMultipart) {
  const Answer answer =
      client_->get(base_ + "/images/install.img", "Range: bytes=10-19, 1048570-1048580,-5\r\n");
  ASSERT_EQ(answer.status, 206);
  ASSERT_TRUE(answer.whole);
  const std::string type = answer.header("Content-Type");
  ASSERT_THAT(type, HasSubstr("multipart/byteranges; boundary="));
  const std::string boundary = type.substr(type.find('=') + 1);
  const std::size_t size = big_.size();
  std::string wanted;
  for (const auto& [first, last] :
       {std::pair<std::size_t, std::size_t>{10, 19}, {1048570, 1048580}, {size - 5, size - 1}}) {
    wanted += fmt::format(
        "\r\n--{}\r\nContent-Type: application/vnd.efi-img\r\nContent-Range: bytes {}-{}/{}\r\n"
        "\r\n",
        boundary, first, last, size);
    wanted += part(first, last);
  }
  wanted += "\r\n--" + boundary + "--\r\n";
  EXPECT_TRUE(answer.body == wanted);
  EXPECT_EQ(client_->get(base_ + "/.treeinfo").status, 200) << "nothing lies between";
}

TEST_P(Serving, SendsTheWholeFileWhenIfRangeIsOfAnother) {
  const std::string path = base_ + "/images/pxeboot/vmlinuz";
  const std::string etag = '"' + sha256(small_).hex() + '"';
  const std::string range = "Range: bytes=1-2\r\nIf-Range: ";
  EXPECT_EQ(client_->get(path, range + etag + "\r\n").status, 206);
  EXPECT_EQ(client_->get(path, range + http_date(kCreated) + "\r\n").status, 206);
  EXPECT_EQ(client_->get(path, range + "W/" + etag + "\r\n").status, 200);
  EXPECT_EQ(client_->get(path, range + "\"other\"\r\n").status, 200);
}

TEST_P(Serving, SaysNotModified) {
  const std::string path = base_ + "/images/pxeboot/vmlinuz";
  const std::string etag = '"' + sha256(small_).hex() + '"';
  for (const std::string& condition : {"If-None-Match: " + etag, "If-None-Match: \"x\", W/" + etag,
                                       "If-Modified-Since: " + http_date(kCreated)}) {
    const Answer answer = client_->get(path, condition + "\r\n");
    EXPECT_EQ(answer.status, 304) << condition;
    EXPECT_EQ(answer.header("ETag"), etag);
    EXPECT_EQ(answer.headers.count("Content-Length"), 0u);
  }
  EXPECT_EQ(client_->get(path, "If-None-Match: \"x\"\r\n").body, text_of(small_));
  EXPECT_EQ(client_->get(path, "If-Match: \"x\"\r\n").status, 412);
}

TEST_P(Serving, RefusesOtherMethodsAndSaysWhichItTakes) {
  for (const auto* method : {"PUT", "DELETE", "OPTIONS", "POST", "BREW"}) {
    client_->send(std::string(method) + ' ' + base_ + "/.treeinfo HTTP/1.1\r\nHost: pi\r\n" +
                  "Content-Length: 4\r\n\r\nbody");
    const Answer answer = client_->receive();
    EXPECT_EQ(answer.status, 405) << method;
    EXPECT_EQ(answer.header("Allow"), "GET, HEAD");
  }
  client_->send("OPTIONS * HTTP/1.1\r\nHost: pi\r\n\r\n");
  EXPECT_EQ(client_->receive().status, 405);
  EXPECT_EQ(client_->head("/v1/event/t?event=x").header("Allow"), "GET, POST");
}

TEST_P(Serving, AnswersPipelinedRequestsInOrder) {
  std::string requests;
  for (int i = 0; i < 50; ++i) {
    requests += fmt::format("GET {}{} HTTP/1.1\r\nHost: pi\r\nRange: bytes={}-{}\r\n\r\n", base_,
                            i % 5 == 0 ? "/images/install.img" : "/images/pxeboot/vmlinuz", i,
                            i % 5 == 0 ? i + 200'000 : i + 10);
  }
  client_->send(requests);
  for (int i = 0; i < 50; ++i) {
    const Answer answer = client_->receive();
    ASSERT_EQ(answer.status, 206);
    const Bytes& bytes = i % 5 == 0 ? big_ : small_;
    ASSERT_TRUE(answer.body ==
                text_of(bytes).substr(static_cast<std::size_t>(i), i % 5 == 0 ? 200'001 : 11))
        << i;
  }
}

TEST_P(Serving, KeepsConnectionsOfBothVersionsAsAsked) {
  const std::string path = base_ + "/.treeinfo";
  for (int i = 0; i < 150; ++i) ASSERT_EQ(client_->get(path).status, 200);

  client_->send("GET " + path + " HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n");
  const Answer kept = client_->receive();
  EXPECT_EQ(kept.header("Connection"), "keep-alive");
  EXPECT_EQ(client_->get(path).status, 200);

  client_->send("GET " + path + " HTTP/1.0\r\n\r\n");
  const Answer old = client_->receive();
  EXPECT_EQ(old.header("Connection"), "close");
  EXPECT_EQ(old.body.size(), 22u);
  EXPECT_TRUE(client_->at_end());

  RawClient closing(live_.port());
  EXPECT_EQ(closing.get(path, "Connection: close\r\n").header("Connection"), "close");
  EXPECT_TRUE(closing.at_end());
}

TEST_P(Serving, TakesAHeadByteByByte) {
  for (const char byte : "GET " + base_ + "/.treeinfo HTTP/1.1\r\nHost: pi\r\n\r\n") {
    if (byte != '\0') client_->send(std::string(1, byte));
  }
  EXPECT_EQ(client_->receive().status, 200);
}

TEST_P(Serving, SkipsEmptyLinesBeforeARequest) {
  client_->send("\r\n\r\nGET " + base_ + "/.treeinfo HTTP/1.1\r\nHost: pi\r\n\r\n");
  EXPECT_EQ(client_->receive().status, 200);
}

TEST_P(Serving, SaysContinueToWhoWaits) {
  client_->send(
      "POST /v1/event/t HTTP/1.1\r\nHost: pi\r\nExpect: 100-continue\r\nContent-Length: "
      "12\r\n\r\n");
  EXPECT_EQ(client_->receive().status, 100);
  client_->send("event=failed");
  EXPECT_EQ(client_->receive().status, 200);
}

TEST_P(Serving, TellsOnceAFileWentOutWhole) {
  client_->get(base_ + "/images/pxeboot/vmlinuz");
  client_->get(base_ + "/images/install.img", "Range: bytes=0-9,100-200\r\n");
  client_->head(base_ + "/images/install.img");
  client_->get(base_ + "/.treeinfo", "If-None-Match: *\r\n");
  client_->get(base_ + "/empty");
  client_->get(base_ + "/nothing");
  client_->get("/boot.ipxe");  // before it is asked anything, the site has heard of all that
  EXPECT_THAT(fetches(), ElementsAre("127.0.0.1 images/pxeboot/vmlinuz",
                                     "127.0.0.1 images/install.img", "127.0.0.1 empty"));
}

TEST_P(Serving, DoesNotTellOfAFileThatDidNotArrive) {
  {
    RawClient leaving(live_.port(), 4096);
    leaving.send("GET " + base_ + "/images/install.img HTTP/1.1\r\nHost: pi\r\n\r\n");
    leaving.wait_for_bytes();
    leaving.abort();
  }
  EXPECT_EQ(client_->get(base_ + "/.treeinfo").status, 200) << "others go on";
  live_.stop();
  EXPECT_THAT(live_.site().fetches.with([](auto& all) { return all; }),
              ElementsAre("127.0.0.1 .treeinfo"));
}

TEST_P(Serving, ServesManyAtOnce) {
  std::vector<std::unique_ptr<RawClient>> clients;
  for (int i = 0; i < 40; ++i) {
    clients.push_back(std::make_unique<RawClient>(live_.port()));
    clients.back()->send("GET " + base_ + "/images/install.img HTTP/1.1\r\nHost: pi\r\n\r\n");
  }
  const Digest wanted = sha256(big_);
  for (auto& client : clients) ASSERT_EQ(sha256(as_bytes(client->receive().body)), wanted);
}

}  // namespace
}  // namespace farboot
