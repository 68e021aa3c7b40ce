#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "agent/boot/render_grub.h"
#include "agent/http/conditional.h"
#include "agent/http/request.h"
#include "agent/http/response.h"
#include "agent/http/routes.h"
#include "agent/http/target.h"
#include "common/base/check.h"

namespace farboot {
namespace {

constexpr RequestLimits kLimits{.head_bytes_max = 4096, .body_bytes_max = 1024};

/// By TFTP the same names come as they stand.
void check_grub_path(std::string_view path) {
  const auto asked = parse_grub_path(path);
  if (!asked) return;
  FARBOOT_CHECK(asked->facts.mac.size() == 17 && asked->entry.find('/') == std::string::npos);
  FARBOOT_CHECK(!is_grub_config(path));
  const MachineFacts facts = cleaned(asked->facts);
  FARBOOT_CHECK(facts.uuid.empty() || facts.uuid.size() == 36);
  const ScriptFrame frame{"http://10.4.0.2", facts, {}};
  const std::string script =
      render_grub(frame, WaitAnswer{"x", true, asked->entry}, GrubRoot::tftp);
  FARBOOT_CHECK(script.ends_with("fi\n"));
}

void check_target(std::string_view text) {
  auto target = parse_target(text);
  if (!target) return;
  const std::string_view path = target->path;
  FARBOOT_CHECK(!path.starts_with('/') && !path.ends_with('/'));
  FARBOOT_CHECK(path.find("//") == std::string_view::npos);
  const std::string walled = '/' + target->path + '/';
  FARBOOT_CHECK(walled.find("/../") == std::string::npos);
  FARBOOT_CHECK(target->path.empty() || walled.find("/./") == std::string::npos);
  for (const char c : path) FARBOOT_CHECK(static_cast<unsigned char>(c) >= 0x20);
  const Route route = find_route(*target);
  if (route.kind == RouteKind::machine_script || route.kind == RouteKind::grub_script)
    FARBOOT_CHECK(route.name.size() == 17);
  const bool grub = !target->directory && parse_grub_path(target->path);
  FARBOOT_CHECK((route.kind == RouteKind::grub_script) == grub);
  if (const auto instead = script_instead(route))
    FARBOOT_CHECK(route.kind == RouteKind::loader && *instead != RouteKind::loader);
  FARBOOT_CHECK(parse_query(target->query, PlusSign::blank).size() <= kQueryPairsMax);
}

void check_response(const Request& request) {
  auto tree = std::make_shared<Manifest>();
  FileEntry entry;
  entry.path = "images/install.img";
  entry.size_bytes = 1'000'000;
  tree->files.push_back(std::move(entry));
  const CatalogFile file{tree, &tree->files.front(), {}, WallTime(Seconds(1'700'000'000))};
  const Response response = file_response(request, file);
  const std::string head = format_head(response, &request, "Sun, 06 Nov 1994 08:49:37 GMT");
  FARBOOT_CHECK(head.ends_with("\r\n\r\n") && head.find("\r\n\r\n") == head.size() - 4);
  if (!response.file) return;
  for (const FilePart& part : response.file->parts) {
    FARBOOT_CHECK(part.size_bytes > 0 && part.offset + part.size_bytes <= 1'000'000);
  }
}

}  // namespace
}  // namespace farboot

// First byte: how many bytes arrive at once; the rest: what a client sends.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  using namespace farboot;
  if (size == 0) return 0;
  const std::size_t step = bytes[0] == 0 ? size : bytes[0];
  std::string_view rest(reinterpret_cast<const char*>(bytes) + 1, size - 1);
  check_target(rest);
  check_grub_path(rest);
  static_cast<void>(parse_http_date(rest));

  std::string input;
  RequestParser parser(kLimits);
  while (!rest.empty()) {
    input += rest.substr(0, step);
    rest.remove_prefix(std::min(step, rest.size()));
    const auto progress = parser.feed(input);
    FARBOOT_CHECK(progress.used <= input.size());
    input.erase(0, progress.used);
    if (progress.step == RequestParser::Step::failed) {
      FARBOOT_CHECK(progress.status >= 400 && progress.status < 600);
      break;
    }
    if (progress.step != RequestParser::Step::done) continue;
    const Request request = parser.take();
    FARBOOT_CHECK(request.body.size() <= kLimits.body_bytes_max);
    check_target(request.target);
    check_response(request);
    parser = RequestParser(kLimits);
  }
  return 0;
}
