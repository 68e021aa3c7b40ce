// How each kind of client asks by HTTP and what it gets: golden transcripts, byte for byte in the
// heads. The requests are those docs/protocols.md tells of; firmware that was seen on the wire is
// in tests/e2e.
#include "tests/agent/http/live_site.h"
#include "tests/support/fake_clock.h"
#include "tests/support/golden.h"

namespace farboot {
namespace {

struct Conversation {
  std::string name;
  std::vector<std::string> requests;  ///< heads, and bodies of those that have one
  bool closes = false;                ///< the server ends the connection after the last answer
};

std::string ask(const std::string& line, const std::vector<std::string>& headers) {
  std::string text = line + "\r\n";
  for (const std::string& header : headers) text += header + "\r\n";
  return text + "\r\n";
}

const std::vector<std::string> kIpxe{"Connection: keep-alive", "User-Agent: iPXE/1.21.1+",
                                     "Host: 10.4.0.2"};
const std::vector<std::string> kEdk2{"Host: 10.4.0.2", "Accept: */*",
                                     "User-Agent: UefiHttpBoot/1.0"};
const std::vector<std::string> kGrub{"Host: 10.4.0.2", "User-Agent: GRUB 2.06"};

std::vector<std::string> with(std::vector<std::string> headers, const std::string& one_more) {
  headers.push_back(one_more);
  return headers;
}

std::vector<Conversation> firmware() {
  const std::string form = "serial=VMware-1&product=R640";
  return {
      {"ipxe",
       {ask("GET /boot.ipxe HTTP/1.1", kIpxe),
        ask("GET /boot/52:54:00:aa:bb:cc.ipxe?uuid=4c4c&platform=efi HTTP/1.1", kIpxe),
        ask("GET /images/el7/images/pxeboot/vmlinuz HTTP/1.1", kIpxe),
        ask("GET /missing.ipxe HTTP/1.1", kIpxe)}},
      {"ipxe_params",
       {ask("POST /boot/52:54:00:aa:bb:cc.ipxe?uuid=4c4c HTTP/1.1",
            with(with(kIpxe, "Content-Type: application/x-www-form-urlencoded"),
                 "Content-Length: " + std::to_string(form.size()))) +
        form}},
      {"ipxe_sanboot",
       {ask("HEAD /images/el7/images/install.img HTTP/1.1", kIpxe),
        ask("GET /images/el7/images/install.img HTTP/1.1", with(kIpxe, "Range: bytes=0-511")),
        ask("GET /images/el7/images/install.img HTTP/1.1",
            with(kIpxe, "Range: bytes=1048064-1049087"))}},
      {"wimboot",  // by iPXE; a boot.wim of more than 4 GiB
       {ask("HEAD /images/winpe/sources/boot.wim HTTP/1.1", kIpxe),
        ask("GET /images/winpe/sources/boot.wim HTTP/1.1",
            with(kIpxe, "Range: bytes=4294967290-4294967301")),
        ask("GET /images/winpe/sources/boot.wim HTTP/1.1", with(kIpxe, "Range: bytes=-16"))}},
      {"edk2", {ask("HEAD /snponly.efi HTTP/1.1", kEdk2), ask("GET /snponly.efi HTTP/1.1", kEdk2)}},
      {"edk2_old", {ask("GET /snponly.efi HTTP/1.1", kEdk2)}},
      {"shim",
       {ask("GET /revocations_sbat.efi HTTP/1.1", kEdk2), ask("GET /grubx64.efi HTTP/1.1", kEdk2)}},
      {"grub",
       {ask("GET /boot/grub/grub.cfg HTTP/1.1", kGrub),
        ask("GET /boot/grub/grub.cfg-01-52-54-00-aa-bb-cc HTTP/1.1", kGrub),
        ask("GET /images/el7/images/pxeboot/vmlinuz HTTP/1.1", with(kGrub, "Range: bytes=512-"))}},
      {"uboot_wget", {"GET /images/el7/images/pxeboot/vmlinuz HTTP/1.0\r\n\r\n"}, true},
  };
}

std::vector<Conversation> installers() {
  const std::string repo = "/images/el7/repodata/repomd.xml";
  const std::string package = "/images/el7/Packages/libstdc++-4.8.rpm";
  const std::string host = "Host: 10.4.0.2";
  return {
      {"dracut_curl",
       {ask("GET /images/el7/.treeinfo HTTP/1.1", {"User-Agent: curl/7.29.0", host, "Accept: */*"}),
        ask("GET /images/el7/images/updates.img HTTP/1.1",
            {"User-Agent: curl/7.29.0", host, "Accept: */*"})}},
      {"anaconda_requests",
       {ask("GET /images/el7/treeinfo HTTP/1.1",
            {host, "User-Agent: python-requests/2.6.0", "Accept-Encoding: gzip, deflate",
             "Accept: */*", "Connection: keep-alive"}),
        ask("GET " + repo + " HTTP/1.1",
            {host, "User-Agent: python-requests/2.6.0", "Accept-Encoding: gzip, deflate",
             "Accept: */*", "Connection: keep-alive"})}},
      {"dnf_librepo",
       {ask("GET " + repo + " HTTP/1.1", {host, "User-Agent: libdnf", "Accept: */*",
                                          "Cache-Control: no-cache", "Pragma: no-cache"}),
        ask("GET " + package + " HTTP/1.1",
            {host, "Range: bytes=300-", "User-Agent: libdnf", "Accept: */*"}),
        ask("GET " + package + " HTTP/1.1",
            {host, "Range: bytes=0-9,100-109,500-509", "User-Agent: libdnf", "Accept: */*"})}},
      {"yum_urlgrabber",
       {ask("GET " + package + " HTTP/1.1",
            {"Range: bytes=100-199", "User-Agent: urlgrabber/3.10 yum/3.4.3", host, "Accept: */*"}),
        ask("GET /images/el7/Packages/libstdc%2B%2B-4.8.rpm HTTP/1.1",
            {"User-Agent: urlgrabber/3.10 yum/3.4.3", host, "Accept: */*"})}},
      {"busybox_wget",
       {ask("GET " + repo + " HTTP/1.1", {host, "User-Agent: Wget", "Connection: close"})},
       true},
      {"wget_continue",
       {ask("GET " + package + " HTTP/1.1",
            {"Range: bytes=899-", "User-Agent: Wget/1.21.3", "Accept: */*",
             "Accept-Encoding: identity", host, "Connection: Keep-Alive"}),
        ask("GET " + package + " HTTP/1.1",
            {"Range: bytes=900-", "User-Agent: Wget/1.21.3", "Accept: */*",
             "Accept-Encoding: identity", host, "Connection: Keep-Alive"})}},
  };
}

class HttpClients : public ::testing::Test {
 protected:
  HttpClients() : live_(StoreKind::memory, {}, clock_) {
    Release release;
    release.number = 7;
    release.created = WallTime(Seconds(1'784'111'777));
    release.images.push_back(
        sample_image("el7", "1708",
                     keep_tree(live_.store(), {{".treeinfo", to_bytes("[general]\nversion = 7\n")},
                                               {"Packages/libstdc++-4.8.rpm", sample_bytes(900, 1)},
                                               {"images/install.img", sample_bytes(3'000'000, 2)},
                                               {"images/pxeboot/vmlinuz", sample_bytes(5000, 3)},
                                               {"repodata/repomd.xml", to_bytes("<repomd/>\n")}})));
    release.images.push_back(sample_image("winpe", "11", large_tree()));
    release.loaders = keep_tree(live_.store(), {{"boot/grub/grub.cfg", to_bytes("set timeout=5\n")},
                                                {"grubx64.efi", sample_bytes(700, 4)},
                                                {"snponly.efi", sample_bytes(500, 5)}});
    live_.activate(release);
    live_.start();
  }

  /// One chunk 4,200 times: more than 4 GiB that need no room.
  Digest large_tree() {
    const Bytes chunk = sample_bytes(kChunkBytesMax, 6);
    const Digest id = sha256(chunk);
    EXPECT_TRUE(live_.store().put(id, chunk));
    FileEntry entry;
    entry.path = "sources/boot.wim";
    for (int i = 0; i < 4200; ++i) {
      entry.chunks.push_back({id, kChunkBytesMax});
      entry.size_bytes += kChunkBytesMax;
    }
    entry.sha256 = id;  // of no one's interest here
    return put_manifest(live_.store(), Manifest{{entry}}).value();
  }

  std::string talk(const Conversation& conversation) {
    RawClient client(live_.port());
    std::string transcript;
    for (const std::string& request : conversation.requests) {
      client.send(request);
      const Answer answer = client.receive(!request.starts_with("HEAD "));
      EXPECT_TRUE(answer.whole);
      transcript += marked("> ", request) + marked("< ", answer.head);
      transcript += body_text(answer) + "\n";
    }
    if (conversation.closes) {
      EXPECT_TRUE(client.at_end());
    }
    return transcript;
  }

 private:
  /// Line by line; the port is another one in each run.
  std::string marked(const std::string& mark, std::string text) const {
    const std::string port = ":" + std::to_string(live_.port());
    for (auto at = text.find(port); at != std::string::npos; at = text.find(port))
      text.replace(at, port.size(), ":PORT");
    std::string out;
    for (std::size_t at = 0; at < text.size();) {
      const std::size_t end = std::min(text.find('\n', at), text.size());
      std::string line = text.substr(at, end - at);
      if (line.ends_with('\r')) line.pop_back();
      out += line.empty() ? mark.substr(0, 1) + "\n" : mark + line + "\n";
      at = end + 1;
    }
    return out;
  }
  std::string body_text(const Answer& answer) const {
    if (answer.body.empty()) return "";
    if (answer.header("Content-Type").starts_with("text/")) return marked("| ", answer.body);
    return fmt::format("| {} bytes, SHA-256 {}\n", answer.body.size(),
                       sha256(as_bytes(answer.body)).hex());
  }

  FakeClock clock_;
  LiveSite live_;
};

TEST_F(HttpClients, FirmwareGetsWhatItNeeds) {
  for (const Conversation& conversation : firmware()) {
    SCOPED_TRACE(conversation.name);
    expect_golden("http/" + conversation.name + ".txt", talk(conversation));
  }
}

TEST_F(HttpClients, InstallersGetWhatTheyNeed) {
  for (const Conversation& conversation : installers()) {
    SCOPED_TRACE(conversation.name);
    expect_golden("http/" + conversation.name + ".txt", talk(conversation));
  }
}

/// What EDK2 reads twice: of the first answer it takes the length, of the second the bytes.
TEST_F(HttpClients, HeadAndGetTellTheSame) {
  const std::string heads = talk({"", {ask("HEAD /snponly.efi HTTP/1.1", kEdk2)}});
  const std::string gets = talk({"", {ask("GET /snponly.efi HTTP/1.1", kEdk2)}});
  const auto answer = [](const std::string& text) {
    const auto from = text.find("< HTTP");
    return text.substr(from, text.find("<\n") - from);
  };
  EXPECT_EQ(answer(heads), answer(gets));
}

}  // namespace
}  // namespace farboot
