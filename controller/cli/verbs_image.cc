// farboot image import|list|show|remove
#include <CLI/CLI.hpp>

#include "common/content/whole_iso.h"
#include "controller/cli/progress.h"
#include "controller/cli/session.h"

namespace farboot {
namespace {

using Stub = v1::FleetService::Stub;

std::string image_id(const v1::ImageRecord& image) { return image.name() + "@" + image.tag(); }

std::string system_text(const v1::ImageRecord& image) {
  std::string out = image.distro().empty() ? image.family() : image.distro();
  for (const std::string& more : {image.version(), image.arch()})
    if (!more.empty()) out += " " + more;
  return out;
}

std::string releases_text(const v1::ImageRecord& image) {
  std::vector<std::string> out;
  for (const std::uint64_t number : image.releases()) out.push_back(release_text(number));
  return join(out, " ");
}

/// It was imported by an older controller and cannot do what a new import of it could.
bool wants_new_import(const v1::ImageRecord& image) {
  ImageFacts facts;
  facts.family = image.family();
  facts.kernel = image.kernel();
  facts.stage2 = image.stage2();
  return lacks_its_iso(facts);
}

Exit import(Session& session, const v1::ImportImageRequest& wanted) {
  v1::ImportImageRequest request = wanted;
  request.set_source(whole_source(wanted.source()));
  const auto stub = session.controller();
  if (!stub) return session.report(stub.error());
  grpc::ClientContext context;
  const auto stream = (*stub)->ImportImage(&context, request);
  v1::ImportImageEvent event;
  v1::ImageRecord image;
  bool done = false;
  {
    Progress progress(session.terminal(), system_clock());
    while (stream->Read(&event)) {
      if (event.has_image()) {
        image = event.image();
        done = true;
        continue;
      }
      const v1::ImportProgress& at = event.progress();
      progress.show({at.step(), at.path(), at.bytes_done(), at.bytes_total(), 0});
    }
  }
  const auto result = session.result(stream->Finish());
  if (!result) return session.report(result.error());
  if (!done) return session.report(fail(Errc::internal, "the import ended without an image"));
  return session.print(image, [&] {
    std::string out = fmt::format("imported {}: {}, {}\n", image_id(image), system_text(image),
                                  size_text(image.size_bytes()));
    if (image.family() == "windows")
      out += "  an entry of kind `winpe` starts it\n";
    else if (image.kernel().empty())
      out += "  it has no kernel we know of: use it for files, or as a tool\n";
    return out;
  });
}

Exit list_images(Session& session) {
  v1::ListImagesResponse answer;
  const auto done = session.call(&Stub::ListImages, v1::ListImagesRequest(), answer);
  if (!done) return session.report(done.error());
  return session.print(answer, [&]() -> std::string {
    if (answer.images().empty()) return "no images yet; `farboot image import`\n";
    Table table({"IMAGE", "SYSTEM", "SIZE>", "IMPORTED", "RELEASES"});
    for (const v1::ImageRecord& image : answer.images())
      table.add({image_id(image), system_text(image), size_text(image.size_bytes()),
                 time_text(image.imported()), releases_text(image)});
    return table.text(session.terminal());
  });
}

Exit show_image(Session& session, const std::string& name) {
  v1::GetImageRequest request;
  request.set_image(name);
  v1::ImageRecord image;
  const auto done = session.call(&Stub::GetImage, request, image);
  if (!done) return session.report(done.error());
  if (wants_new_import(image))
    session.note(fmt::format(
        "{} {} lacks the ISO its installer starts from, which will not start: import the ISO again "
        "with another --tag\n",
        session.terminal().paint(Colour::yellow, "warning:"), image_id(image)));
  return session.print(image, [&] {
    std::string out;
    const auto line = [&](std::string_view what, const std::string& value) {
      out += fmt::format("{:<9} {}\n", what, value.empty() ? "-" : value);
    };
    line("image", image_id(image));
    line("system", system_text(image));
    line("size", size_text(image.size_bytes()));
    line("manifest", image.manifest());
    line("kernel", image.kernel());
    line("initrd", image.initrd());
    line("stage2", image.stage2());
    line("repo", image.repo().empty() ? "(top)" : image.repo());
    line("source", image.source());
    line("imported", time_text(image.imported()));
    line("releases", releases_text(image));
    return out;
  });
}

Exit remove(Session& session, const std::string& name) {
  v1::RemoveImageRequest request;
  request.set_image(name);
  v1::RemoveImageResponse answer;
  const auto done = session.call(&Stub::RemoveImage, request, answer, kLongCallDeadline);
  if (!done) return session.report(done.error());
  return session.print(answer, [&] {
    return fmt::format("removed {}: {}\n", image_id(answer.image()),
                       answer.deferred() ? "space is freed when the import that runs has ended"
                                         : size_text(answer.freed_bytes()) + " freed");
  });
}

}  // namespace

void add_image_verbs(CLI::App& app, Session& session) {
  CLI::App& image = add_noun(app, "image", "OS trees, imported once and never changed");
  {
    auto request = std::make_shared<v1::ImportImageRequest>();
    CLI::App& verb = add_verb(
        image, "import", "import an ISO, a directory or a mirror; checks every checksum it carries",
        "farboot image import /srv/iso/CentOS-7-x86_64-DVD-1708.iso --name centos7 --tag 1708");
    auto source = std::make_shared<std::string>(), name = std::make_shared<std::string>(),
         tag = std::make_shared<std::string>(), sha256 = std::make_shared<std::string>();
    verb.add_option("source", *source, "a path on the controller, or an http(s):// or file:// URL")
        ->required()
        ->type_name("PATH|URL");
    verb.add_option("--name", *name, "what boot entries call it")->required();
    verb.add_option("--tag", *tag, "which one of that name (default: the tree's own version)");
    verb.add_option("--sha256", *sha256, "refuse an ISO with another SHA-256")->type_name("HEX");
    verb.callback([&session, request, source, name, tag, sha256] {
      request->set_source(*source);
      request->set_name(*name);
      request->set_tag(*tag);
      request->set_sha256(*sha256);
      session.exit = import(session, *request);
    });
  }
  add_verb(image, "list", "all images", "farboot image list").callback([&session] {
    session.exit = list_images(session);
  });
  {
    auto name = std::make_shared<std::string>();
    CLI::App& verb = add_verb(image, "show", "one image, with what import found in it",
                              "farboot image show centos7@1708");
    verb.add_option("image", *name, "NAME or NAME@TAG")->required();
    verb.callback([&session, name] { session.exit = show_image(session, *name); });
  }
  {
    auto name = std::make_shared<std::string>();
    CLI::App& verb =
        add_verb(image, "remove", "remove an image and free its space; refused while it is needed",
                 "farboot image remove centos7@1708");
    verb.add_option("image", *name, "NAME or NAME@TAG")->required();
    verb.callback([&session, name] { session.exit = remove(session, *name); });
  }
}

}  // namespace farboot
