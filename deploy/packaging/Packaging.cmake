# Debian packages by CPack: `cpack -G DEB` in a build folder, or ./dev package [--arch arm64].
# farboot-agent for the Pis, farboot-controller for the centre with the operator's `farboot`.
if(NOT TARGET farboot-agent OR NOT TARGET farboot-controller OR NOT TARGET farboot)
  return()
endif()

install(TARGETS farboot-agent RUNTIME DESTINATION sbin COMPONENT agent)
install(TARGETS farboot-controller RUNTIME DESTINATION sbin COMPONENT controller)
install(TARGETS farboot RUNTIME DESTINATION bin COMPONENT controller)
set(changelog ${CMAKE_SOURCE_DIR}/deploy/packaging/changelog)
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${changelog})
file(STRINGS ${changelog} newest LIMIT_COUNT 1)
if(NOT newest MATCHES "^farboot \\(${PROJECT_VERSION}\\) ")
  message(FATAL_ERROR "deploy/packaging/changelog begins with '${newest}', not with ${PROJECT_VERSION}")
endif()
execute_process(COMMAND gzip -9nc ${changelog} OUTPUT_FILE ${CMAKE_BINARY_DIR}/changelog.gz
  COMMAND_ERROR_IS_FATAL ANY)
foreach(part agent controller)
  install(FILES deploy/systemd/farboot-${part}.service DESTINATION lib/systemd/system COMPONENT ${part})
  install(FILES deploy/systemd/farboot-${part}.sysusers DESTINATION lib/sysusers.d
    RENAME farboot-${part}.conf COMPONENT ${part})
  install(FILES deploy/examples/${part}.toml DESTINATION /etc/farboot COMPONENT ${part})
  install(FILES deploy/packaging/copyright ${CMAKE_BINARY_DIR}/changelog.gz
    DESTINATION share/doc/farboot-${part} COMPONENT ${part})
endforeach()
# Its name comes early: whoever wants more says so in any later file.
install(FILES deploy/systemd/farboot-agent.sysctl DESTINATION lib/sysctl.d
  RENAME 10-farboot-agent.conf COMPONENT agent)
install(DIRECTORY deploy/examples/fleet DESTINATION share/doc/farboot-controller/examples COMPONENT controller)

set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME farboot)
set(CPACK_PACKAGE_VENDOR Farboot)
set(CPACK_PACKAGE_CONTACT "The Farboot developers <farboot@localhost>")
set(CPACK_PACKAGE_VERSION ${PROJECT_VERSION})
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_STRIP_FILES ON)
set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_COMPONENTS_ALL agent controller)
set(CPACK_COMPONENTS_GROUPING ONE_PER_GROUP)
set(CPACK_COMPONENT_AGENT_GROUP agent)
set(CPACK_COMPONENT_CONTROLLER_GROUP controller)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SECTION net)
set(CPACK_DEBIAN_PACKAGE_PRIORITY optional)
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
set(CPACK_OUTPUT_FILE_PREFIX ${CMAKE_SOURCE_DIR}/out)
if(CMAKE_CROSSCOMPILING)
  set(CPACK_DEBIAN_PACKAGE_ARCHITECTURE arm64)
  find_program(FARBOOT_STRIP aarch64-linux-gnu-strip REQUIRED NO_CMAKE_FIND_ROOT_PATH PATHS /usr/bin)
  set(CMAKE_STRIP ${FARBOOT_STRIP})
endif()

# dpkg-shlibdeps finds nothing for a foreign architecture, so the list is ours for every one;
# tests/package compares it with what dpkg-shlibdeps says of the amd64 programs.
file(STRINGS deploy/packaging/agent/depends farboot_agent_depends REGEX "^[^#]")
file(STRINGS deploy/packaging/controller/depends farboot_controller_depends REGEX "^[^#]")
list(JOIN farboot_agent_depends ", " CPACK_DEBIAN_AGENT_PACKAGE_DEPENDS)
list(JOIN farboot_controller_depends ", " CPACK_DEBIAN_CONTROLLER_PACKAGE_DEPENDS)
set(CPACK_DEBIAN_CONTROLLER_PACKAGE_RECOMMENDS ipxe)
set(CPACK_COMPONENT_AGENT_DESCRIPTION "Boots a site's machines from the network, also with the line cut
 Holds a verified copy of what its site installs and answers proxyDHCP,
 TFTP and HTTP.")
set(CPACK_COMPONENT_CONTROLLER_DESCRIPTION "Images, menus and rollouts for the netboot agents of many sites
 The controller, and the operator's command line farboot.")
foreach(part AGENT CONTROLLER)
  string(TOLOWER ${part} folder)
  set(CPACK_DEBIAN_${part}_PACKAGE_NAME farboot-${folder})
  set(CPACK_DEBIAN_${part}_PACKAGE_CONTROL_EXTRA
    "${CMAKE_SOURCE_DIR}/deploy/packaging/${folder}/conffiles"
    "${CMAKE_SOURCE_DIR}/deploy/packaging/${folder}/postinst"
    "${CMAKE_SOURCE_DIR}/deploy/packaging/${folder}/prerm"
    "${CMAKE_SOURCE_DIR}/deploy/packaging/${folder}/postrm")
endforeach()
include(CPack)
